/* Template (REAL, SUFFIX, SQRT): what the arithmetic of the iterations takes by itself, for the benchmark to compare
 * with. As many pixels as the forward pass has, in blocks that stay in the first-level cache, each its own neighbour:
 * no borders, no rows, nothing unaligned, no plane to read or write. */

#ifndef ARITHMETIC_BLOCK
#define ARITHMETIC_BLOCK 256
enum { ARITHMETIC_FIELDS = STATE_FIELDS + CONST_FIELDS };
#endif

static void NAME(arithmetic_block)(const NAME(terms) *terms, REAL *block, ptrdiff_t length, int64_t num_iters) {
    const REAL theta = terms->theta, limit = terms->limit, rate = terms->rate;
    const REAL div_x0 = terms->div_x[0], div_x1 = terms->div_x[1], div_y0 = terms->div_y[0], div_y1 = terms->div_y[1];
    const REAL flow_x0 = terms->flow_x[0], flow_x1 = terms->flow_x[1];
    const REAL flow_y0 = terms->flow_y[0], flow_y1 = terms->flow_y[1];
    REAL *p_xx = block + P_XX * ARITHMETIC_BLOCK, *p_xy = block + P_XY * ARITHMETIC_BLOCK;
    REAL *p_yx = block + P_YX * ARITHMETIC_BLOCK, *p_yy = block + P_YY * ARITHMETIC_BLOCK;
    REAL *flow_x = block + U_X * ARITHMETIC_BLOCK, *flow_y = block + U_Y * ARITHMETIC_BLOCK;
    const REAL *fixed = block + STATE_FIELDS * ARITHMETIC_BLOCK;
    for (int64_t iteration = 0; iteration < num_iters; iteration++) {
        SIMD for (ptrdiff_t j = 0; j < length; j++) {
            const REAL grad_x = fixed[GRAD_X * ARITHMETIC_BLOCK + j], grad_y = fixed[GRAD_Y * ARITHMETIC_BLOCK + j];
            const REAL rho = fixed[RHO_C * ARITHMETIC_BLOCK + j] + grad_x * flow_x[j] + grad_y * flow_y[j];
            REAL step = rho * fixed[NEG_INV_NORM * ARITHMETIC_BLOCK + j];
            step += rho * fixed[NEG_INV_NORM_LOW * ARITHMETIC_BLOCK + j];
            step = step < -limit ? -limit : step;
            step = step > limit ? limit : step;
            const REAL div_u_x = div_x0 * p_xx[j] + div_x1 * p_xx[j] + (div_y0 * p_xy[j] + div_y1 * p_xy[j]);
            const REAL div_u_y = div_x0 * p_yx[j] + div_x1 * p_yx[j] + (div_y0 * p_yy[j] + div_y1 * p_yy[j]);
            const REAL u_x = flow_x[j] + step * grad_x + theta * div_u_x;
            const REAL u_y = flow_y[j] + step * grad_y + theta * div_u_y;
            const REAL ax_x = flow_x0 * u_x + flow_x1 * u_y, ay_x = flow_y0 * u_x + flow_y1 * u_y;
            const REAL ax_y = flow_x0 * u_y + flow_x1 * u_x, ay_y = flow_y0 * u_y + flow_y1 * u_x;
            const REAL inv_shrink_x = 1 / (1 + rate * SQRT(ax_x * ax_x + ay_x * ay_x + (REAL)EPSILON));
            const REAL inv_shrink_y = 1 / (1 + rate * SQRT(ax_y * ax_y + ay_y * ay_y + (REAL)EPSILON));
            flow_x[j] = u_x;
            flow_y[j] = u_y;
            p_xx[j] = (p_xx[j] + rate * ax_x) * inv_shrink_x;
            p_xy[j] = (p_xy[j] + rate * ay_x) * inv_shrink_x;
            p_yx[j] = (p_yx[j] + rate * ax_y) * inv_shrink_y;
            p_yy[j] = (p_yy[j] + rate * ay_y) * inv_shrink_y;
        }
    }
}

static void NAME(arithmetic_task)(void *argument, void *scratch, ptrdiff_t task) {
    const NAME(forward_context) *context = argument;
    const rep_flow_problem *problem = context->problem;
    const ptrdiff_t area = problem->height * problem->width;
    REAL *free_scratch = scratch;
    NAME(terms) terms;
    NAME(take_terms)(&free_scratch, &context->plane, &terms);
    NAME(set_terms)(&terms, &context->plane, problem, task % problem->channels);
    /* The scratch comes zeroed. The numbers matter only in being neither subnormal nor infinite. */
    if (free_scratch[0] == 0) {
        for (ptrdiff_t j = 0; j < ARITHMETIC_FIELDS * ARITHMETIC_BLOCK; j++) free_scratch[j] = (REAL)(1 + j % 7) / 8;
    }
    for (ptrdiff_t first = 0; first < area; first += ARITHMETIC_BLOCK) {
        const ptrdiff_t rest = area - first, length = rest < ARITHMETIC_BLOCK ? rest : ARITHMETIC_BLOCK;
        NAME(arithmetic_block)(&terms, free_scratch, (length + LANES - 1) / LANES * LANES, problem->num_iters);
        ((REAL *)problem->u)[task * area + first] = free_scratch[U_X * ARITHMETIC_BLOCK];
    }
}

int NAME(rep_flow_arithmetic)(const rep_flow_problem *problem) {
    NAME(forward_context) context = {problem, make_layout(problem->height, problem->width, LANES)};
    const ptrdiff_t count = problem->batch * problem->channels * (problem->frames - 1);
    const ptrdiff_t elements = 4 * context.plane.length + ARITHMETIC_FIELDS * ARITHMETIC_BLOCK;
    task_list tasks = {
        .run = NAME(arithmetic_task), .context = &context, .count = count, .scratch_bytes = elements * sizeof(REAL)
    };
    const double work = (double)count * problem->height * problem->width * (problem->num_iters + 1);
    return run_tasks(&tasks, problem->num_threads, work);
}
