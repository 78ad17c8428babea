/* Template (REAL, SUFFIX, SQRT): Brox flow at one level of the pyramid, one task per pair. See ../README.md for the
 * equations.
 *
 * The pixels lie like the squares of a chessboard that were sorted by colour: in row i, colour c has the pixels
 * j = 2 k + offset, offset = (i + c) & 1, next to each other. A pixel's neighbours have the other colour; of element k
 * they are, in the other half of the same row, k - 1 + offset and k + offset, and in the rows above and below k. So a
 * colour is relaxed by whole vectors that never read what they write. */

#ifndef REP_FLOW_BOARD
#define REP_FLOW_BOARD
/* Derivatives of an image: along x, y, xx, xy, yy. */
enum { SLOPE_X, SLOPE_Y, SLOPE_XX, SLOPE_XY, SLOPE_YY, SLOPES };

/* Elements of a pixel of the second image: its value, its derivatives, and two unused. */
#define BROX_IMAGE_FIELDS 8

/* Fields of the residuals, which stay the same over the iterations: of brightness and of the gradient's x and y the
 * constant and the factors of u_x and u_y. RESIDUAL_XY is a factor in both of the latter. */
enum {
    RESIDUAL, RESIDUAL_X, RESIDUAL_Y, RESIDUAL_OF_X, RESIDUAL_XX, RESIDUAL_XY, RESIDUAL_OF_Y, RESIDUAL_YY, RESIDUAL_FIELDS
};

/* Fields of the flow and of the linear system for it: weights of the edges to the right and down, the inverse of the
 * matrix at the pixel times the over-relaxation, and the right side. */
enum { FLOW_X, FLOW_Y, EAST, SOUTH, INVERSE_XX, INVERSE_XY, INVERSE_YY, SIDE_X, SIDE_Y, SYSTEM_FIELDS };

/* How many sweeps of the relaxation go over the rows together, each two rows behind the one before. */
#define RELAXATION_DEPTH 10
#define RELAXATION_LAG 2

/* What a pixel costs in a warp besides the relaxation, in pixel-iterations, roughly. */
#define BROX_WARP_WORK 50

/* `length` elements of a row and colour, whole vectors; a field has one vector of zeros before it and `stride - lanes`
 * elements, at least one of them unused. */
typedef struct {
    ptrdiff_t height, width, lanes, length, stride;
} board;

static board make_board(ptrdiff_t height, ptrdiff_t width, ptrdiff_t lanes) {
    const ptrdiff_t half = (width + 1) / 2, length = (half + lanes - 1) / lanes * lanes;
    board squares = {height, width, lanes, length, (length > half ? length : length + lanes) + lanes};
    return squares;
}

/* A row of both colours, and one vector of zeros behind it. */
static ptrdiff_t board_row(const board *squares, ptrdiff_t fields) {
    return 2 * fields * squares->stride + squares->lanes;
}

/* A board with a row above and one below. */
static ptrdiff_t board_size(const board *squares, ptrdiff_t fields) {
    return (squares->height + 2) * board_row(squares, fields);
}

/* Where the first element of a row and colour lies from the board's first row on. */
static ptrdiff_t board_half(const board *squares, ptrdiff_t fields, ptrdiff_t i, ptrdiff_t colour) {
    return i * board_row(squares, fields) + colour * fields * squares->stride + squares->lanes;
}

static ptrdiff_t half_offset(ptrdiff_t i, ptrdiff_t colour) { return (i + colour) & 1; }
#endif

typedef struct {
    const brox_level *level;
    board squares;
} NAME(brox_context);

/* Central difference of fourth order along x, the border repeated. */
static void NAME(derive_x)(ptrdiff_t height, ptrdiff_t width, const REAL *image, REAL *slope) {
    for (ptrdiff_t i = 0; i < height; i++, image += width, slope += width) {
        for (ptrdiff_t j = 0; j < width; j += j == 1 && width > 4 ? width - 3 : 1) {
            const REAL left = image[j > 0 ? j - 1 : 0], left2 = image[j > 1 ? j - 2 : 0];
            const REAL right = image[j < width - 1 ? j + 1 : width - 1], right2 = image[j < width - 2 ? j + 2 : width - 1];
            slope[j] = (8 * (right - left) - (right2 - left2)) / 12;
        }
        SIMD for (ptrdiff_t j = 2; j < width - 2; j++) {
            slope[j] = (8 * (image[j + 1] - image[j - 1]) - (image[j + 2] - image[j - 2])) / 12;
        }
    }
}

/* The same along y. */
static void NAME(derive_y)(ptrdiff_t height, ptrdiff_t width, const REAL *image, REAL *slope) {
    for (ptrdiff_t i = 0; i < height; i++, slope += width) {
        const REAL *above = image + (i > 0 ? i - 1 : 0) * width, *above2 = image + (i > 1 ? i - 2 : 0) * width;
        const REAL *below = image + (i < height - 1 ? i + 1 : height - 1) * width;
        const REAL *below2 = image + (i < height - 2 ? i + 2 : height - 1) * width;
        SIMD for (ptrdiff_t j = 0; j < width; j++) slope[j] = (8 * (below[j] - above[j]) - (below2[j] - above2[j])) / 12;
    }
}

/* All derivatives of an image: (SLOPES, H, W). */
static void NAME(derive)(ptrdiff_t height, ptrdiff_t width, const REAL *image, REAL *slopes) {
    const ptrdiff_t area = height * width;
    NAME(derive_x)(height, width, image, slopes + SLOPE_X * area);
    NAME(derive_y)(height, width, image, slopes + SLOPE_Y * area);
    NAME(derive_x)(height, width, slopes + SLOPE_X * area, slopes + SLOPE_XX * area);
    NAME(derive_y)(height, width, slopes + SLOPE_X * area, slopes + SLOPE_XY * area);
    NAME(derive_y)(height, width, slopes + SLOPE_Y * area, slopes + SLOPE_YY * area);
}

/* An image and its derivatives pixel by pixel: (H, W, BROX_IMAGE_FIELDS). */
static void NAME(interleave_slopes)(ptrdiff_t area, const REAL *image, const REAL *slopes, REAL *pixels) {
    for (ptrdiff_t j = 0; j < area; j++, pixels += BROX_IMAGE_FIELDS) {
        pixels[0] = image[j];
        for (int slope = 0; slope < SLOPES; slope++) pixels[1 + slope] = slopes[slope * area + j];
        for (int field = 1 + SLOPES; field < BROX_IMAGE_FIELDS; field++) pixels[field] = 0;
    }
}

/* The residuals of a pixel whose flow leads to `moved`, a pixel of the second image. */
INLINE void NAME(set_residuals)(
    const board *squares, ptrdiff_t area, const REAL *first, const REAL *slopes, const REAL *moved, REAL weight,
    REAL u_x, REAL u_y, REAL *residual
) {
    const ptrdiff_t stride = squares->stride;
    REAL mean[SLOPES];
    for (int slope = 0; slope < SLOPES; slope++) mean[slope] = (slopes[slope * area] + moved[1 + slope]) * (REAL)0.5;
    residual[RESIDUAL * stride] = moved[0] - *first - (mean[SLOPE_X] * u_x + mean[SLOPE_Y] * u_y);
    residual[RESIDUAL_X * stride] = mean[SLOPE_X];
    residual[RESIDUAL_Y * stride] = mean[SLOPE_Y];
    residual[RESIDUAL_OF_X * stride] =
        weight * (moved[1 + SLOPE_X] - slopes[SLOPE_X * area] - (mean[SLOPE_XX] * u_x + mean[SLOPE_XY] * u_y));
    residual[RESIDUAL_XX * stride] = weight * mean[SLOPE_XX];
    residual[RESIDUAL_XY * stride] = weight * mean[SLOPE_XY];
    residual[RESIDUAL_OF_Y * stride] =
        weight * (moved[1 + SLOPE_Y] - slopes[SLOPE_Y * area] - (mean[SLOPE_XY] * u_x + mean[SLOPE_YY] * u_y));
    residual[RESIDUAL_YY * stride] = weight * mean[SLOPE_YY];
}

/* Linearise both constancy assumptions around the flow u, (2, H, W); also sort the flow onto the board. */
static void NAME(brox_warp)(
    const brox_level *level, const board *squares, const REAL *first, const REAL *slopes, const REAL *pixels,
    const REAL *u, REAL *system, REAL *residuals
) {
    const ptrdiff_t height = squares->height, width = squares->width, stride = squares->stride, area = height * width;
    const REAL root_gamma = SQRT((REAL)level->gamma);
    for (ptrdiff_t i = 0; i < height; i++) {
        for (ptrdiff_t j = 0; j < width; j++) {
            const ptrdiff_t place = i * width + j, colour = (i + j) & 1, k = j >> 1;
            REAL *flow = system + board_half(squares, SYSTEM_FIELDS, i, colour) + k;
            REAL *residual = residuals + board_half(squares, RESIDUAL_FIELDS, i, colour) + k;
            const REAL u_x = u[place], u_y = u[area + place], x = j + u_x, y = i + u_y;
            flow[FLOW_X * stride] = u_x;
            flow[FLOW_Y * stride] = u_y;
            if (!NAME(is_inside)(height, width, 0, x, y)) {
                for (int field = 0; field < RESIDUAL_FIELDS; field++) residual[field * stride] = 0;
                continue;
            }
            /* Derivatives at the borders are those of the image that is repeated beyond them. */
            const int within = i > 0 && i < height - 1 && j > 0 && j < width - 1 && NAME(is_inside)(height, width, 1, x, y);
            REAL moved[BROX_IMAGE_FIELDS];
            NAME(sample)(height, width, pixels, BROX_IMAGE_FIELDS, x, y, moved);
            NAME(set_residuals)(
                squares, area, first + place, slopes + place, moved, within ? root_gamma : 0, u_x, u_y, residual
            );
        }
    }
}

/* Repeat the flow beyond the borders, where the smoothness weights look at it. */
static void NAME(repeat_border)(const board *squares, REAL *system) {
    const ptrdiff_t height = squares->height, width = squares->width, stride = squares->stride;
    for (ptrdiff_t i = 0; i < height; i++) {
        REAL *halves[2] = {
            system + board_half(squares, SYSTEM_FIELDS, i, 0), system + board_half(squares, SYSTEM_FIELDS, i, 1)
        };
        const ptrdiff_t first = i & 1, last = (i + width - 1) & 1;
        for (int field = FLOW_X; field <= FLOW_Y; field++) {
            halves[!first][field * stride - 1] = halves[first][field * stride];
            halves[!last][field * stride + (width >> 1)] = halves[last][field * stride + ((width - 1) >> 1)];
        }
    }
    for (int colour = 0; colour < 2; colour++) {
        for (int field = FLOW_X; field <= FLOW_Y; field++) {
            const ptrdiff_t begin = field * stride - squares->lanes, size = stride * sizeof(REAL);
            memcpy(system + board_half(squares, SYSTEM_FIELDS, -1, !colour) + begin,
                   system + board_half(squares, SYSTEM_FIELDS, 0, colour) + begin, size);
            memcpy(system + board_half(squares, SYSTEM_FIELDS, height, !colour) + begin,
                   system + board_half(squares, SYSTEM_FIELDS, height - 1, colour) + begin, size);
        }
    }
}

/* Zeros from element `begin` of a row's field on. */
INLINE void NAME(clear_tail)(const board *squares, REAL *half, int field, ptrdiff_t begin) {
    memset(half + field * squares->stride + begin, 0, (squares->stride - squares->lanes - begin) * sizeof(REAL));
}

/* The weights of the edges to the right of a row and colour, and down from it. */
static void NAME(set_edges)(const brox_level *level, const board *squares, REAL *system, ptrdiff_t i, ptrdiff_t colour) {
    const ptrdiff_t stride = squares->stride, row = board_row(squares, SYSTEM_FIELDS), offset = half_offset(i, colour);
    REAL *own = system + board_half(squares, SYSTEM_FIELDS, i, colour);
    const REAL *other = system + board_half(squares, SYSTEM_FIELDS, i, !colour), *above = other - row, *below = other + row;
    const REAL *right = other + offset, *left = right - 1;
    const REAL *above_right = own - row + offset, *below_right = own + row + offset, *below_left = below_right - 1;
    const REAL half_alpha = level->alpha / 2, epsilon = level->epsilon * level->epsilon;
    SIMD for (ptrdiff_t k = 0; k < squares->length; k++) {
        REAL in_row = epsilon, in_column = epsilon;
        for (int field = FLOW_X; field <= FLOW_Y; field++) {
            const ptrdiff_t at = field * stride + k;
            const REAL along_row = right[at] - own[at], along_column = below[at] - own[at];
            const REAL across_row = (below[at] - above[at] + (below_right[at] - above_right[at])) * (REAL)0.25;
            const REAL across_column = (right[at] - left[at] + (below_right[at] - below_left[at])) * (REAL)0.25;
            in_row += along_row * along_row + across_row * across_row;
            in_column += along_column * along_column + across_column * across_column;
        }
        own[EAST * stride + k] = half_alpha / SQRT(in_row);
        own[SOUTH * stride + k] = half_alpha / SQRT(in_column);
    }
    NAME(clear_tail)(squares, own, EAST, (squares->width - offset) / 2);
    NAME(clear_tail)(squares, own, SOUTH, i < squares->height - 1 ? (squares->width - offset + 1) / 2 : 0);
}

/* The equations of a row and colour, solved for the pixel itself; its edges and those above are known. */
static void NAME(set_equations)(
    const brox_level *level, const board *squares, REAL *system, const REAL *residuals, ptrdiff_t i, ptrdiff_t colour
) {
    const ptrdiff_t stride = squares->stride, row = board_row(squares, SYSTEM_FIELDS), offset = half_offset(i, colour);
    REAL *own = system + board_half(squares, SYSTEM_FIELDS, i, colour);
    const REAL *other = system + board_half(squares, SYSTEM_FIELDS, i, !colour);
    const REAL *left = other + offset - 1, *above = other - row;
    const REAL *residual = residuals + board_half(squares, RESIDUAL_FIELDS, i, colour);
    const REAL epsilon = level->epsilon * level->epsilon, relaxation = level->relaxation;
    SIMD for (ptrdiff_t k = 0; k < squares->length; k++) {
        const REAL u_x = own[FLOW_X * stride + k], u_y = own[FLOW_Y * stride + k];
        const REAL c = residual[RESIDUAL * stride + k], x = residual[RESIDUAL_X * stride + k];
        const REAL y = residual[RESIDUAL_Y * stride + k], c_x = residual[RESIDUAL_OF_X * stride + k];
        const REAL xx = residual[RESIDUAL_XX * stride + k], xy = residual[RESIDUAL_XY * stride + k];
        const REAL c_y = residual[RESIDUAL_OF_Y * stride + k], yy = residual[RESIDUAL_YY * stride + k];
        const REAL brightness = c + x * u_x + y * u_y;
        const REAL gradient_x = c_x + xx * u_x + xy * u_y, gradient_y = c_y + xy * u_x + yy * u_y;
        const REAL squared = brightness * brightness + (gradient_x * gradient_x + gradient_y * gradient_y);
        const REAL weight = (REAL)0.5 / SQRT(squared + epsilon);
        const REAL edges = left[EAST * stride + k] + own[EAST * stride + k] +
                           (above[SOUTH * stride + k] + own[SOUTH * stride + k]);
        const REAL a_xx = weight * (x * x + (xx * xx + xy * xy)) + edges;
        const REAL a_xy = weight * (x * y + (xx * xy + xy * yy));
        const REAL a_yy = weight * (y * y + (xy * xy + yy * yy)) + edges;
        const REAL scale = relaxation / (a_xx * a_yy - a_xy * a_xy);
        own[INVERSE_XX * stride + k] = a_yy * scale;
        own[INVERSE_XY * stride + k] = -a_xy * scale;
        own[INVERSE_YY * stride + k] = a_xx * scale;
        own[SIDE_X * stride + k] = -weight * (x * c + (xx * c_x + xy * c_y));
        own[SIDE_Y * stride + k] = -weight * (y * c + (xy * c_x + yy * c_y));
    }
    for (int field = INVERSE_XX; field <= SIDE_Y; field++) {
        NAME(clear_tail)(squares, own, field, (squares->width - offset + 1) / 2);
    }
}

static void NAME(set_system)(const brox_level *level, const board *squares, REAL *system, const REAL *residuals) {
    NAME(repeat_border)(squares, system);
    for (ptrdiff_t i = 0; i < squares->height; i++) {
        for (int colour = 0; colour < 2; colour++) NAME(set_edges)(level, squares, system, i, colour);
        for (int colour = 0; colour < 2; colour++) NAME(set_equations)(level, squares, system, residuals, i, colour);
    }
}

/* Relax a row and colour. */
static void NAME(relax_half)(const board *squares, REAL relaxation, REAL *system, ptrdiff_t i, ptrdiff_t colour) {
    const ptrdiff_t stride = squares->stride, row = board_row(squares, SYSTEM_FIELDS), offset = half_offset(i, colour);
    REAL *own = system + board_half(squares, SYSTEM_FIELDS, i, colour);
    const REAL *other = system + board_half(squares, SYSTEM_FIELDS, i, !colour), *above = other - row, *below = other + row;
    const REAL *right = other + offset, *left = right - 1;
    SIMD for (ptrdiff_t k = 0; k < squares->length; k++) {
        const REAL east = own[EAST * stride + k], west = left[EAST * stride + k];
        const REAL south = own[SOUTH * stride + k], north = above[SOUTH * stride + k];
        const REAL inverse_xy = own[INVERSE_XY * stride + k];
        const REAL u_x = own[FLOW_X * stride + k], u_y = own[FLOW_Y * stride + k];
        const REAL side_x = own[SIDE_X * stride + k] +
            (west * left[FLOW_X * stride + k] + east * right[FLOW_X * stride + k]) +
            (north * above[FLOW_X * stride + k] + south * below[FLOW_X * stride + k]);
        const REAL side_y = own[SIDE_Y * stride + k] +
            (west * left[FLOW_Y * stride + k] + east * right[FLOW_Y * stride + k]) +
            (north * above[FLOW_Y * stride + k] + south * below[FLOW_Y * stride + k]);
        own[FLOW_X * stride + k] = u_x + (own[INVERSE_XX * stride + k] * side_x + inverse_xy * side_y - relaxation * u_x);
        own[FLOW_Y * stride + k] = u_y + (inverse_xy * side_x + own[INVERSE_YY * stride + k] * side_y - relaxation * u_y);
    }
}

/* All sweeps for one linear system. In a sweep, the second colour of a row follows the first of the row below. A sweep
 * follows RELAXATION_LAG rows behind the one before, so that RELAXATION_DEPTH of them share the rows in the cache. */
static void NAME(relax)(const brox_level *level, const board *squares, REAL *system) {
    const ptrdiff_t height = squares->height, total = level->solver_iterations;
    const REAL relaxation = level->relaxation;
    for (ptrdiff_t start = 0; start < total; start += RELAXATION_DEPTH) {
        const ptrdiff_t sweeps = total - start < RELAXATION_DEPTH ? total - start : RELAXATION_DEPTH;
        for (ptrdiff_t front = 0; front <= height + RELAXATION_LAG * (sweeps - 1); front++) {
            for (ptrdiff_t sweep = 0; sweep < sweeps && RELAXATION_LAG * sweep <= front; sweep++) {
                const ptrdiff_t i = front - RELAXATION_LAG * sweep;
                if (i < height) NAME(relax_half)(squares, relaxation, system, i, 0);
                if (i > 0 && i <= height) NAME(relax_half)(squares, relaxation, system, i - 1, 1);
            }
        }
    }
}

/* The flow from the board back to (2, H, W). */
static void NAME(store_flow)(const board *squares, const REAL *system, REAL *u) {
    const ptrdiff_t height = squares->height, width = squares->width;
    for (int field = FLOW_X; field <= FLOW_Y; field++) {
        for (ptrdiff_t i = 0; i < height; i++, u += width) {
            for (int colour = 0; colour < 2; colour++) {
                const REAL *half = system + board_half(squares, SYSTEM_FIELDS, i, colour) + field * squares->stride;
                for (ptrdiff_t j = half_offset(i, colour); j < width; j += 2) u[j] = half[j >> 1];
            }
        }
    }
}

static ptrdiff_t NAME(brox_scratch_size)(const board *squares) {
    return board_size(squares, SYSTEM_FIELDS) + board_size(squares, RESIDUAL_FIELDS) +
           squares->height * squares->width * (2 * SLOPES + BROX_IMAGE_FIELDS);
}

static void NAME(brox_task)(void *argument, void *scratch, ptrdiff_t pair) {
    const NAME(brox_context) *context = argument;
    const brox_level *level = context->level;
    const board *squares = &context->squares;
    const ptrdiff_t height = squares->height, width = squares->width, area = height * width;
    const REAL *first = (const REAL *)level->images + 2 * pair * area;
    REAL *u = (REAL *)level->u + 2 * pair * area;
    REAL *system_rows = scratch, *residual_rows = system_rows + board_size(squares, SYSTEM_FIELDS);
    REAL *system = system_rows + board_row(squares, SYSTEM_FIELDS);
    REAL *residuals = residual_rows + board_row(squares, RESIDUAL_FIELDS);
    REAL *slopes = residual_rows + board_size(squares, RESIDUAL_FIELDS), *second_slopes = slopes + SLOPES * area;
    REAL *pixels = second_slopes + SLOPES * area;
    NAME(derive)(height, width, first, slopes);
    NAME(derive)(height, width, first + area, second_slopes);
    NAME(interleave_slopes)(area, first + area, second_slopes, pixels);
    NAME(brox_warp)(level, squares, first, slopes, pixels, u, system, residuals);
    for (int64_t inner = 0; inner < level->inner_iterations; inner++) {
        NAME(set_system)(level, squares, system, residuals);
        NAME(relax)(level, squares, system);
    }
    NAME(store_flow)(squares, system, u);
}

int NAME(brox_level)(const brox_level *level) {
    NAME(brox_context) context = {level, make_board(level->height, level->width, LANES)};
    task_list tasks = {
        .run = NAME(brox_task), .context = &context, .count = level->batch,
        .scratch_bytes = NAME(brox_scratch_size)(&context.squares) * sizeof(REAL)
    };
    const double iterations = (double)level->inner_iterations * level->solver_iterations + BROX_WARP_WORK;
    return run_tasks(&tasks, level->num_threads, (double)level->batch * level->height * level->width * iterations);
}
