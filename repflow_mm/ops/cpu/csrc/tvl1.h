/* Template (REAL, SUFFIX): TV-L1 flow at one level of the pyramid, one task per pair. The iterations are those of
 * solver.h; here are the warps around them. See ../README.md for the equations. */

#ifndef IMAGE_FIELDS
/* Elements of a pixel of the second image: its value, its gradient along x and y, and one unused. */
#define IMAGE_FIELDS 4
/* What a pixel costs in a warp besides the iterations, in pixel-iterations, roughly. */
#define WARP_WORK 30
#endif

typedef struct {
    const tvl1_level *level;
    layout plane;
} NAME(tvl1_context);

/* The second image and its central differences, borders repeated, pixel by pixel: (H, W, IMAGE_FIELDS). */
static void NAME(interleave)(const layout *plane, const REAL *second, REAL *pixels) {
    const ptrdiff_t height = plane->height, width = plane->width;
    for (ptrdiff_t i = 0; i < height; i++) {
        const REAL *row = second + i * width;
        const REAL *above = i > 0 ? row - width : row, *below = i < height - 1 ? row + width : row;
        for (ptrdiff_t j = 0; j < width; j++) {
            REAL *pixel = pixels + (i * width + j) * IMAGE_FIELDS;
            pixel[0] = row[j];
            pixel[1] = (row[j < width - 1 ? j + 1 : j] - row[j > 0 ? j - 1 : j]) * (REAL)0.5;
            pixel[2] = (below[j] - above[j]) * (REAL)0.5;
            pixel[3] = 0;
        }
    }
}

/* The fixed fields for the linearisation of the second image around the flow u of the state. */
static void NAME(warp)(const layout *plane, const REAL *first, const REAL *pixels, const REAL *state, REAL *fixed) {
    const ptrdiff_t height = plane->height, width = plane->width, stride = plane->stride;
    for (ptrdiff_t i = 0; i < height; i++) {
        const REAL *u_x = state + i * row_size(plane, STATE_FIELDS) + U_X * stride, *u_y = u_x + (U_Y - U_X) * stride;
        REAL *row = fixed + i * row_size(plane, CONST_FIELDS);
        for (ptrdiff_t j = 0; j < width; j++) {
            const REAL x = j + u_x[j], y = i + u_y[j];
            /* A pixel that leaves the image has no data term. */
            REAL values[IMAGE_FIELDS] = {first[i * width + j]};
            if (NAME(is_inside)(height, width, 0, x, y)) NAME(sample)(height, width, pixels, IMAGE_FIELDS, x, y, values);
            row[GRAD_X * stride + j] = values[1];
            row[GRAD_Y * stride + j] = values[2];
            row[RHO_C * stride + j] = values[0] - first[i * width + j] - (values[1] * u_x[j] + values[2] * u_y[j]);
        }
        NAME(complete_fixed_row)(plane, row);
    }
}

/* One iteration in place; returns the sum of the squared changes of u. */
static double NAME(iterate_measured)(const layout *plane, const NAME(terms) *terms, REAL *state, const REAL *fixed) {
    const ptrdiff_t height = plane->height;
    double total = 0;
    for (ptrdiff_t i = 0; i <= height; i++) {
        REAL *row = state + i * row_size(plane, STATE_FIELDS), change[LANES] = {0};
        const REAL *fixed_row = fixed + i * row_size(plane, CONST_FIELDS);
        if (i == 0) NAME(iterate_row)(plane, terms, row, row, fixed_row, change, 1, 0);
        else if (i == height) NAME(iterate_row)(plane, terms, row, row, fixed, change, 0, 1);
        else NAME(iterate_row)(plane, terms, row, row, fixed_row, change, 1, 1);
        REAL row_total = 0;
        for (ptrdiff_t lane = 0; lane < LANES; lane++) row_total += change[lane];
        total += row_total;
    }
    return total;
}

/* Solve one linearisation: median filter and iterations in turn, until u changes no more than `tolerance`. */
static void NAME(solve_warp)(
    const tvl1_level *level, const layout *plane, const NAME(terms) *terms, REAL *state, const REAL *fixed,
    REAL *median_scratch
) {
    const double tolerance = level->epsilon * level->epsilon * plane->height * plane->width;
    double change = INFINITY;
    for (ptrdiff_t outer = 0; outer < level->outer_iters && change > tolerance; outer++) {
        if (level->median_filter > 1) {
            NAME(median_filter)(plane, state, U_X, level->median_filter, median_scratch);
            NAME(median_filter)(plane, state, U_Y, level->median_filter, median_scratch);
        }
        for (ptrdiff_t inner = 0; inner < level->inner_iters && change > tolerance; inner++) {
            change = NAME(iterate_measured)(plane, terms, state, fixed);
        }
    }
}

static ptrdiff_t NAME(tvl1_scratch_size)(const layout *plane) {
    return 4 * plane->length + 2 * plane->lanes + plane_size(plane, STATE_FIELDS) + plane_size(plane, CONST_FIELDS) +
           NAME(median_scratch_size)(plane) + plane->height * plane->width * IMAGE_FIELDS;
}

static void NAME(set_tvl1_terms)(NAME(terms) *terms, const layout *plane, const tvl1_level *level) {
    static const REAL taps[4] = {-1, 1, -1, 1}, no_image_kernel[18];
    const REAL theta = level->theta, lam = level->lam, tau = level->tau;
    const rep_flow_problem problem = {
        .channels = 1, .theta = &theta, .lam = &lam, .tau = &tau,
        .image_kernel = no_image_kernel, .flow_kernel = taps, .div_kernel = taps
    };
    NAME(set_terms)(terms, plane, &problem, 0);
}

static void NAME(tvl1_task)(void *argument, void *scratch, ptrdiff_t pair) {
    const NAME(tvl1_context) *context = argument;
    const tvl1_level *level = context->level;
    const layout *plane = &context->plane;
    const ptrdiff_t area = plane->height * plane->width;
    const REAL *first = (const REAL *)level->images + 2 * pair * area;
    REAL *u = (REAL *)level->u + 2 * pair * area, *free_scratch = scratch;
    NAME(terms) terms;
    NAME(take_terms)(&free_scratch, plane, &terms);
    REAL *state = NAME(take_plane)(&free_scratch, plane, STATE_FIELDS);
    REAL *fixed = NAME(take_plane)(&free_scratch, plane, CONST_FIELDS);
    REAL *median_scratch = free_scratch, *pixels = free_scratch + NAME(median_scratch_size)(plane);
    NAME(set_tvl1_terms)(&terms, plane, level);
    NAME(interleave)(plane, first + area, pixels);
    memset(state, 0, plane->height * row_size(plane, STATE_FIELDS) * sizeof(REAL));
    NAME(pad_rows)(plane, u, state + U_X * plane->stride, row_size(plane, STATE_FIELDS));
    NAME(pad_rows)(plane, u + area, state + U_Y * plane->stride, row_size(plane, STATE_FIELDS));
    for (ptrdiff_t warp = 0; warp < level->num_warps; warp++) {
        NAME(warp)(plane, first, pixels, state, fixed);
        NAME(solve_warp)(level, plane, &terms, state, fixed, median_scratch);
    }
    NAME(store_field)(plane, state, U_X, u);
    NAME(store_field)(plane, state, U_Y, u + area);
}

int NAME(tvl1_level)(const tvl1_level *level) {
    NAME(tvl1_context) context = {level, make_layout(level->height, level->width, LANES)};
    task_list tasks = {
        .run = NAME(tvl1_task), .context = &context, .count = level->batch,
        .scratch_bytes = NAME(tvl1_scratch_size)(&context.plane) * sizeof(REAL)
    };
    const double work = (double)level->batch * level->height * level->width * level->num_warps * WARP_WORK;
    return run_tasks(&tasks, level->num_threads, work);
}
