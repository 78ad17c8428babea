/* Template (REAL, SUFFIX): the backward pass, one task per (clip, channel): its pairs share frames, so they are
 * taken one after the other and every element of grad_x is written by one thread, in one order. */

typedef struct {
    const rep_flow_problem *problem;
    layout plane;
    ptrdiff_t segment;    /* iterations between checkpoints */
    ptrdiff_t segments;   /* with one segment nothing is checkpointed */
    double *parts;        /* (N * C, PARTS) */
} NAME(backward_context);

typedef struct {
    NAME(terms) terms;
    REAL *states;         /* segment + 1 of them */
    REAL *checkpoints;    /* the states at the beginning of every segment */
    REAL *fixed, *second_padded, *adjoint;
    NAME(sums) sums;
    double image_sums[18][LANES];
} NAME(backward_scratch);

/* Iterations per segment: all, where their states fit; else as many as do, but no fewer than the square root. */
static void NAME(set_segments)(NAME(backward_context) *context) {
    const ptrdiff_t state_bytes = plane_size(&context->plane, STATE_FIELDS) * sizeof(REAL);
    const ptrdiff_t num_iters = context->problem->num_iters, fit = HISTORY_BYTES / state_bytes - 1;
    ptrdiff_t segment = 1;
    while (segment < num_iters && (segment < fit || segment * segment < num_iters)) segment++;
    context->segment = segment;
    context->segments = num_iters ? (num_iters + segment - 1) / segment : 0;
}

static ptrdiff_t NAME(backward_scratch_size)(const NAME(backward_context) *context) {
    const layout *plane = &context->plane;
    const ptrdiff_t checkpoints = context->segments > 1 ? context->segments : 0;
    return 4 * plane->length + 5 * plane->lanes + (context->segment + 1 + checkpoints) * plane_size(plane, STATE_FIELDS) +
           plane_size(plane, CONST_FIELDS) + plane_size(plane, ADJOINT_FIELDS) + plane_size(plane, 1);
}

static void NAME(take_scratch)(
    const NAME(backward_context) *context, REAL *free_scratch, NAME(backward_scratch) *scratch
) {
    const layout *plane = &context->plane;
    NAME(take_terms)(&free_scratch, plane, &scratch->terms);
    scratch->fixed = NAME(take_plane)(&free_scratch, plane, CONST_FIELDS);
    scratch->second_padded = NAME(take_plane)(&free_scratch, plane, 1);
    scratch->adjoint = NAME(take_plane)(&free_scratch, plane, ADJOINT_FIELDS);
    scratch->states = NAME(take_plane)(&free_scratch, plane, STATE_FIELDS);
    scratch->checkpoints = scratch->states + (context->segment + 1) * plane_size(plane, STATE_FIELDS);
}

/* The gradient of u after the last iteration; all other gradients start at zero. */
static void NAME(set_adjoint)(const layout *plane, const REAL *grad_u_x, const REAL *grad_u_y, REAL *adjoint) {
    const ptrdiff_t row = row_size(plane, ADJOINT_FIELDS);
    memset(adjoint, 0, plane->height * row * sizeof(REAL));
    NAME(pad_rows)(plane, grad_u_x, adjoint + D_U_X * plane->stride, row);
    NAME(pad_rows)(plane, grad_u_y, adjoint + D_U_Y * plane->stride, row);
}

/* Recompute the states and run the adjoint, segment by segment from the last. */
static void NAME(solve_adjoint)(const NAME(backward_context) *context, NAME(backward_scratch) *scratch) {
    const layout *plane = &context->plane;
    const ptrdiff_t step = plane_size(plane, STATE_FIELDS), num_iters = context->problem->num_iters;
    const size_t bytes = plane->height * row_size(plane, STATE_FIELDS) * sizeof(REAL);
    memset(context->segments > 1 ? scratch->checkpoints : scratch->states, 0, bytes);
    for (ptrdiff_t i = 1; i < context->segments; i++) {
        REAL *state = scratch->checkpoints + i * step;
        memcpy(state, state - step, bytes);
        NAME(iterate)(plane, &scratch->terms, state, 0, scratch->fixed, 0, context->segment);
    }
    for (ptrdiff_t i = context->segments - 1; i >= 0; i--) {
        const ptrdiff_t left = num_iters - i * context->segment;
        const ptrdiff_t count = left < context->segment ? left : context->segment;
        if (context->segments > 1) memcpy(scratch->states, scratch->checkpoints + i * step, bytes);
        NAME(iterate)(plane, &scratch->terms, scratch->states, step, scratch->fixed, 0, count);
        NAME(iterate_adjoint)(
            plane, &scratch->terms, scratch->states, step, scratch->fixed, scratch->adjoint, &scratch->sums,
            count
        );
    }
}

/* Complete D_GRAD_* by what comes through |grad F2|^2, and turn D_STEP into the gradient of rho_c. */
static void NAME(complete_fixed)(const layout *plane, const REAL *fixed, REAL *adjoint) {
    const ptrdiff_t stride = plane->stride;
    for (ptrdiff_t i = 0; i < plane->height; i++) {
        const REAL *constant = fixed + i * row_size(plane, CONST_FIELDS);
        REAL *row = adjoint + i * row_size(plane, ADJOINT_FIELDS);
        SIMD for (ptrdiff_t j = 0; j < plane->length; j++) {
            const REAL neg_inv_norm = constant[NEG_INV_NORM * stride + j];
            const REAL twice_d_norm = 2 * row[STEP_D_STEP * stride + j] * neg_inv_norm;
            row[D_GRAD_X * stride + j] += twice_d_norm * constant[GRAD_X * stride + j];
            row[D_GRAD_Y * stride + j] += twice_d_norm * constant[GRAD_Y * stride + j];
            row[D_STEP * stride + j] *= neg_inv_norm;
        }
    }
}

/* Add to the first frame's gradient what it gets through rho_c and the image gradient's borders; then clear the
 * borders, which are no part of the correlation. */
static void NAME(add_first)(const layout *plane, REAL *adjoint, REAL *grad_first) {
    const ptrdiff_t height = plane->height, width = plane->width, stride = plane->stride;
    const ptrdiff_t row = row_size(plane, ADJOINT_FIELDS);
    const REAL half = (REAL)0.5;
    for (ptrdiff_t i = 0; i < height; i++) {
        REAL *out = grad_first + i * width, *d_grad_x = adjoint + i * row + D_GRAD_X * stride;
        const REAL *d_rho_c = adjoint + i * row + D_STEP * stride;
        SIMD for (ptrdiff_t j = 0; j < width; j++) out[j] -= d_rho_c[j];
        out[0] -= half * d_grad_x[0];
        out[1] += half * d_grad_x[0];
        out[width - 2] -= half * d_grad_x[width - 1];
        out[width - 1] += half * d_grad_x[width - 1];
        d_grad_x[0] = d_grad_x[width - 1] = 0;
    }
    for (int side = 0; side < 2; side++) {
        REAL *d_grad_y = adjoint + (side ? height - 1 : 0) * row + D_GRAD_Y * stride;
        REAL *low = grad_first + (side ? height - 2 : 0) * width, *high = low + width;
        for (ptrdiff_t j = 0; j < width; j++) {
            low[j] -= half * d_grad_y[j];
            high[j] += half * d_grad_y[j];
            d_grad_y[j] = 0;
        }
    }
}

/* The second frame's gradient, written: through rho_c, and the transposed correlation of D_GRAD_*. */
static void NAME(set_second)(const layout *plane, const NAME(terms) *terms, const REAL *adjoint, REAL *grad_second) {
    const ptrdiff_t stride = plane->stride, size = row_size(plane, ADJOINT_FIELDS);
    const REAL *kx = terms->image_x, *ky = terms->image_y;
    for (ptrdiff_t i = 0; i < plane->height; i++) {
        const REAL *row = adjoint + i * size;
        REAL *out = grad_second + i * plane->width;
        SIMD for (ptrdiff_t j = 0; j < plane->width; j++) {
            REAL value = row[D_STEP * stride + j];
            for (ptrdiff_t dy = -1; dy <= 1; dy++) {
                for (ptrdiff_t dx = -1; dx <= 1; dx++) {
                    const REAL *from = row - dy * size + j - dx;
                    const ptrdiff_t tap = (dy + 1) * 3 + dx + 1;
                    value += kx[tap] * from[D_GRAD_X * stride] + ky[tap] * from[D_GRAD_Y * stride];
                }
            }
            out[j] = value;
        }
    }
}

/* Add the gradients of the image gradient's 2 x 9 taps, lane by lane. */
static void NAME(add_image_taps)(
    const layout *plane, const REAL *adjoint, const REAL *second_padded, double (*sums)[LANES]
) {
    const ptrdiff_t size = row_size(plane, 1);
    for (ptrdiff_t i = 0; i < plane->height; i++) {
        const REAL *row = adjoint + i * row_size(plane, ADJOINT_FIELDS) + D_GRAD_X * plane->stride;
        for (int tap = 0; tap < 18; tap++) {
            const REAL *d_grad = row + tap / 9 * plane->stride;
            const REAL *value = second_padded + (i + tap % 9 / 3 - 1) * size + tap % 3 - 1;
            REAL lanes[LANES] = {0};
            for (ptrdiff_t block = 0; block < plane->length; block += LANES) {
                SIMD for (ptrdiff_t lane = 0; lane < LANES; lane++) {
                    lanes[lane] += d_grad[block + lane] * value[block + lane];
                }
            }
            for (ptrdiff_t lane = 0; lane < LANES; lane++) sums[tap][lane] += lanes[lane];
        }
    }
}

static double NAME(add_lanes)(const double *lanes) {
    double sum = 0;
    for (ptrdiff_t lane = 0; lane < LANES; lane++) sum += lanes[lane];
    return sum;
}

static void NAME(set_parts)(const rep_flow_problem *problem, const NAME(backward_scratch) *scratch, double *parts) {
    const double theta = *(const REAL *)problem->theta, lam = *(const REAL *)problem->lam;
    const double tau = *(const REAL *)problem->tau;
    double sums[SUMS];
    for (int sum = 0; sum < SUMS; sum++) sums[sum] = NAME(add_lanes)(scratch->sums.totals[sum]);
    parts[PART_THETA] = sums[SUM_THETA] + lam * sums[SUM_LIMIT] - sums[SUM_RATE] * tau / (theta * theta);
    parts[PART_LAM] = theta * sums[SUM_LIMIT];
    parts[PART_TAU] = sums[SUM_RATE] / theta;
    for (int tap = 0; tap < 18; tap++) parts[PART_IMAGE + tap] = NAME(add_lanes)(scratch->image_sums[tap]);
    for (int tap = 0; tap < 4; tap++) {
        parts[PART_FLOW + tap] = sums[SUM_FLOW_X0 + tap];
        parts[PART_DIV + tap] = theta * sums[SUM_DIV_X0 + tap];
    }
}

static void NAME(backward_task)(void *argument, void *memory, ptrdiff_t task) {
    const NAME(backward_context) *context = argument;
    const rep_flow_problem *problem = context->problem;
    const layout *plane = &context->plane;
    const ptrdiff_t channels = problem->channels, area = plane->height * plane->width;
    const ptrdiff_t clip = task / channels, channel = task % channels;
    const int64_t *strides = problem->x_strides, *grad_strides = problem->grad_u_strides;
    const REAL *x = (const REAL *)problem->x + clip * strides[0] + channel * strides[1];
    const REAL *grad_u = (const REAL *)problem->grad_u + clip * grad_strides[0] + channel * grad_strides[1];
    REAL *grad_x = (REAL *)problem->grad_x + task * problem->frames * area;
    NAME(backward_scratch) scratch;
    memset(&scratch, 0, sizeof(scratch));
    NAME(take_scratch)(context, memory, &scratch);
    NAME(set_terms)(&scratch.terms, plane, problem, channel);
    memset(grad_x, 0, area * sizeof(REAL));
    for (ptrdiff_t pair = 0; pair < problem->frames - 1; pair++) {
        const REAL *first = x + pair * strides[2], *grad_u_x = grad_u + pair * grad_strides[2];
        REAL *grad_first = grad_x + pair * area;
        NAME(set_fixed)(plane, &scratch.terms, first, first + strides[2], scratch.second_padded, scratch.fixed);
        NAME(set_adjoint)(plane, grad_u_x, grad_u_x + channels * grad_strides[1], scratch.adjoint);
        NAME(solve_adjoint)(context, &scratch);
        NAME(complete_fixed)(plane, scratch.fixed, scratch.adjoint);
        NAME(add_first)(plane, scratch.adjoint, grad_first);
        NAME(set_second)(plane, &scratch.terms, scratch.adjoint, grad_first + area);
        NAME(add_image_taps)(plane, scratch.adjoint, scratch.second_padded, scratch.image_sums);
    }
    NAME(set_parts)(problem, &scratch, context->parts + task * PARTS);
}

/* Add up the tasks' parts, in the order of clips and channels whatever thread did them. */
static void NAME(reduce_parts)(const rep_flow_problem *problem, const double *parts) {
    const int64_t channels = problem->channels;
    REAL *scalars[3] = {problem->grad_theta, problem->grad_lam, problem->grad_tau};
    REAL *kernels[3] = {problem->grad_image_kernel, problem->grad_flow_kernel, problem->grad_div_kernel};
    const int begin[3] = {PART_IMAGE, PART_FLOW, PART_DIV}, taps[3] = {9, 2, 2};
    for (int scalar = 0; scalar < 3; scalar++) {
        double sum = 0;
        for (int64_t task = 0; task < problem->batch * channels; task++) sum += parts[task * PARTS + scalar];
        *scalars[scalar] = (REAL)sum;
    }
    for (int kernel = 0; kernel < 3; kernel++) {
        for (int64_t out = 0; out < 2 * channels * taps[kernel]; out++) {
            const int64_t tap = out % taps[kernel], channel = out / taps[kernel] % channels;
            const int64_t axis = out / taps[kernel] / channels;
            const double *part = parts + channel * PARTS + begin[kernel] + axis * taps[kernel] + tap;
            double sum = 0;
            for (int64_t clip = 0; clip < problem->batch; clip++) sum += part[clip * channels * PARTS];
            kernels[kernel][out] = (REAL)sum;
        }
    }
}

int NAME(rep_flow_backward)(const rep_flow_problem *problem) {
    NAME(backward_context) context = {problem, make_layout(problem->height, problem->width, LANES), 0, 0, NULL};
    const layout *plane = &context.plane;
    const ptrdiff_t count = problem->batch * problem->channels;
    NAME(set_segments)(&context);
    context.parts = calloc(count > 0 ? count : 1, PARTS * sizeof(double));
    if (!context.parts) return 1;
    task_list tasks = {
        .run = NAME(backward_task), .context = &context, .count = count,
        .scratch_bytes = NAME(backward_scratch_size)(&context) * sizeof(REAL)
    };
    const double pixels = (double)count * (problem->frames - 1) * plane->height * plane->width;
    const int failed = run_tasks(&tasks, problem->num_threads, pixels * (problem->num_iters + 1));
    if (!failed) NAME(reduce_parts)(problem, context.parts);
    free(context.parts);
    return failed;
}
