/* Template (REAL, SUFFIX, SQRT): the adjoint of one plane's iterations. docs/mathematics.md derives the equations. */

typedef struct {
    REAL lanes[SUMS][LANES];
    double totals[SUMS][LANES];
    ptrdiff_t pending;
} NAME(sums);

static void NAME(flush_sums)(NAME(sums) *sums) {
    for (int sum = 0; sum < SUMS; sum++) {
        for (ptrdiff_t lane = 0; lane < LANES; lane++) sums->totals[sum][lane] += sums->lanes[sum][lane];
    }
    memset(sums->lanes, 0, sizeof(sums->lanes));
    sums->pending = 0;
}

/* From the gradient of p after an iteration to that of p before it (without the divergence's part, written over
 * it) and to those of the flow gradient of the new u, D_AX_* and D_AY_*.
 * `after` is the state after the iteration; all pointers are to row i; `is_last` is a constant where inlined. */
INLINE void NAME(adjoint_p_row)(
    const layout *plane, const NAME(terms) *terms, const REAL *after, REAL *adjoint, int component, NAME(sums) *sums,
    int is_last
) {
    const ptrdiff_t stride = plane->stride;
    const REAL rate = terms->rate, flow_y0 = terms->flow_y[0], flow_y1 = terms->flow_y[1];
    const REAL *flow_x0 = terms->flow_row[0], *flow_x1 = terms->flow_row[1];
    const REAL *u = after + (U_X + component) * stride, *u_below = u + row_size(plane, STATE_FIELDS);
    const REAL *p_x = after + (P_XX + 2 * component) * stride, *p_y = after + (P_XY + 2 * component) * stride;
    REAL *d_p_x = adjoint + (D_P_XX + 2 * component) * stride, *d_p_y = adjoint + (D_P_XY + 2 * component) * stride;
    REAL *d_ax = adjoint + (D_AX_X + component) * stride, *d_ay = adjoint + (D_AY_X + component) * stride;
    for (ptrdiff_t block = 0; block < plane->length; block += LANES) {
        SIMD for (ptrdiff_t lane = 0; lane < LANES; lane++) {
            const ptrdiff_t j = block + lane;
            const REAL ax = flow_x0[j] * u[j] + flow_x1[j] * u[j + 1];
            const REAL ay = is_last ? 0 : flow_y0 * u[j] + flow_y1 * u_below[j];
            const REAL norm = SQRT(ax * ax + (ay * ay + (REAL)EPSILON)), shrink = 1 + rate * norm;
            const REAL inverse = 1 / (norm * shrink);
            const REAL inv_shrink = inverse * norm, inv_norm = inverse * shrink;
            const REAL g_x = d_p_x[j] * inv_shrink, g_y = d_p_y[j] * inv_shrink;
            const REAL d_shrink = -(g_x * p_x[j] + g_y * p_y[j]);
            const REAL d_norm_over_norm = rate * d_shrink * inv_norm;
            const REAL d_ax_j = rate * g_x + d_norm_over_norm * ax;
            const REAL d_ay_j = is_last ? 0 : rate * g_y + d_norm_over_norm * ay;
            d_p_x[j] = g_x;
            d_p_y[j] = g_y;
            d_ax[j] = d_ax_j;
            d_ay[j] = d_ay_j;
            sums->lanes[SUM_RATE][lane] += g_x * ax + g_y * ay + d_shrink * norm;
            sums->lanes[SUM_FLOW_X0][lane] += d_ax_j * u[j];
            sums->lanes[SUM_FLOW_X1][lane] += d_ax_j * u[j + 1];
            if (!is_last) {
                sums->lanes[SUM_FLOW_Y0][lane] += d_ay_j * u[j];
                sums->lanes[SUM_FLOW_Y1][lane] += d_ay_j * u_below[j];
            }
        }
    }
}

/* The whole gradient of u after the iteration: what came from later plus what came through its flow gradient. */
INLINE void NAME(adjoint_total_row)(
    const layout *plane, const NAME(terms) *terms, REAL *adjoint, int component
) {
    const ptrdiff_t stride = plane->stride;
    const REAL flow_x0 = terms->flow_x[0], flow_x1 = terms->flow_x[1];
    const REAL flow_y0 = terms->flow_y[0], flow_y1 = terms->flow_y[1];
    const REAL *d_u = adjoint + (D_U_X + component) * stride;
    const REAL *d_ax = adjoint + (D_AX_X + component) * stride, *d_ay = adjoint + (D_AY_X + component) * stride;
    const REAL *d_ay_above = d_ay - row_size(plane, ADJOINT_FIELDS);
    REAL *total = adjoint + (D_TOTAL_X + component) * stride;
    SIMD for (ptrdiff_t j = 0; j < plane->length; j++) {
        total[j] = d_u[j] + (flow_x0 * d_ax[j] + flow_x1 * d_ax[j - 1]) + (flow_y0 * d_ay[j] + flow_y1 * d_ay_above[j]);
    }
}

/* From the whole gradient of u after the iteration, rows i and i + 1, to the gradients of p and u before it and of
 * what stays fixed. `before` is the state before the iteration; all pointers are to row i. */
INLINE void NAME(adjoint_u_row)(
    const layout *plane, const NAME(terms) *terms, const REAL *before, const REAL *fixed, REAL *adjoint,
    NAME(sums) *sums, int is_last
) {
    const ptrdiff_t stride = plane->stride, below = row_size(plane, ADJOINT_FIELDS);
    const REAL theta = terms->theta, limit = terms->limit, div_y0 = terms->div_y[0], div_y1 = terms->div_y[1];
    const REAL *div_x0 = terms->div_row[0], *div_x1 = terms->div_row[1];
    /* Where the lower limit is not below the upper one, the upper one has the gradient of every step, as in torch. */
    const REAL low_by_limit = limit > 0 ? -1 : limit < 0 ? 1 : 0;
    const REAL *total_x = adjoint + D_TOTAL_X * stride, *total_y = adjoint + D_TOTAL_Y * stride;
    for (ptrdiff_t block = 0; block < plane->length; block += LANES) {
        SIMD for (ptrdiff_t lane = 0; lane < LANES; lane++) {
            const ptrdiff_t j = block + lane;
            const REAL x = total_x[j], x_right = total_x[j + 1], x_below = total_x[below + j];
            const REAL y = total_y[j], y_right = total_y[j + 1], y_below = total_y[below + j];
            const REAL p_xx = before[P_XX * stride + j], p_xy = before[P_XY * stride + j];
            const REAL p_yx = before[P_YX * stride + j], p_yy = before[P_YY * stride + j];
            const REAL xx = div_x1[j] * x + div_x0[j] * x_right, yx = div_x1[j] * y + div_x0[j] * y_right;
            const REAL xy = is_last ? 0 : div_y1 * x + div_y0 * x_below;
            const REAL yy = is_last ? 0 : div_y1 * y + div_y0 * y_below;
            adjoint[D_P_XX * stride + j] += theta * xx;
            adjoint[D_P_XY * stride + j] += theta * xy;
            adjoint[D_P_YX * stride + j] += theta * yx;
            adjoint[D_P_YY * stride + j] += theta * yy;
            sums->lanes[SUM_THETA][lane] += (xx * p_xx + xy * p_xy) + (yx * p_yx + yy * p_yy);
            sums->lanes[SUM_DIV_X0][lane] += x_right * p_xx + y_right * p_yx;
            sums->lanes[SUM_DIV_X1][lane] += x * p_xx + y * p_yx;
            sums->lanes[SUM_DIV_Y0][lane] += x_below * p_xy + y_below * p_yy;
            sums->lanes[SUM_DIV_Y1][lane] += x * p_xy + y * p_yy;

            const REAL u_x = before[U_X * stride + j], u_y = before[U_Y * stride + j];
            const REAL grad_x = fixed[GRAD_X * stride + j], grad_y = fixed[GRAD_Y * stride + j];
            const REAL neg_inv_norm = fixed[NEG_INV_NORM * stride + j];
            const REAL rho = fixed[RHO_C * stride + j] + grad_x * u_x + grad_y * u_y;
            const REAL free_step = rho * neg_inv_norm + rho * fixed[NEG_INV_NORM_LOW * stride + j];
            REAL step = free_step < -limit ? -limit : free_step;
            step = step > limit ? limit : step;
            const REAL d_clamped = x * grad_x + y * grad_y;
            const REAL d_low = free_step < -limit ? low_by_limit * d_clamped : 0;
            const REAL d_limit = free_step > limit ? d_clamped : d_low;
            const REAL d_step = free_step < -limit || free_step > limit ? 0 : d_clamped;
            const REAL d_rho = d_step * neg_inv_norm;
            sums->lanes[SUM_LIMIT][lane] += d_limit;
            adjoint[D_STEP * stride + j] += d_step;
            adjoint[STEP_D_STEP * stride + j] += d_step * step;
            adjoint[D_GRAD_X * stride + j] += step * x + d_rho * u_x;
            adjoint[D_GRAD_Y * stride + j] += step * y + d_rho * u_y;
            adjoint[D_U_X * stride + j] = x + d_rho * grad_x;
            adjoint[D_U_Y * stride + j] = y + d_rho * grad_y;
        }
    }
}

/* One iteration's adjoint where the sweep stands at row i: its first part for row i, its second for the row above, its
 * third for the row above that. `before` and `after` are row i of the states around the iteration. */
static void NAME(adjoint_row)(
    const layout *plane, const NAME(terms) *terms, const REAL *before, const REAL *after, const REAL *fixed,
    REAL *adjoint, NAME(sums) *sums, ptrdiff_t i
) {
    const ptrdiff_t height = plane->height, adjoint_size = row_size(plane, ADJOINT_FIELDS);
    for (int component = 0; component < 2; component++) {
        if (i < height - 1) NAME(adjoint_p_row)(plane, terms, after, adjoint, component, sums, 0);
        else if (i == height - 1) NAME(adjoint_p_row)(plane, terms, after, adjoint, component, sums, 1);
        if (i >= 1 && i <= height) NAME(adjoint_total_row)(plane, terms, adjoint - adjoint_size, component);
    }
    if (i >= 2) {
        const REAL *state = before - 2 * row_size(plane, STATE_FIELDS);
        const REAL *constant = fixed - 2 * row_size(plane, CONST_FIELDS);
        REAL *row = adjoint - 2 * adjoint_size;
        if (i <= height) NAME(adjoint_u_row)(plane, terms, state, constant, row, sums, 0);
        else NAME(adjoint_u_row)(plane, terms, state, constant, row, sums, 1);
    }
    sums->pending += 4 * (plane->length / LANES);
    if (sums->pending >= MAX_PENDING) NAME(flush_sums)(sums);
}

/* The adjoint of `count` iterations, last to first; states 0 to count lie at `states + k * step`. As in `iterate`,
 * an iteration follows ADJOINT_LAG rows behind the one before it. */
static void NAME(iterate_adjoint)(
    const layout *plane, const NAME(terms) *terms, const REAL *states, ptrdiff_t step, const REAL *fixed,
    REAL *adjoint, NAME(sums) *sums, ptrdiff_t count
) {
    const ptrdiff_t height = plane->height, adjoint_size = row_size(plane, ADJOINT_FIELDS);
    const ptrdiff_t state_row = row_size(plane, STATE_FIELDS), fixed_row = row_size(plane, CONST_FIELDS);
    for (ptrdiff_t end = count; end > 0; end -= SWEEP_DEPTH) {
        const ptrdiff_t sweeps = end < SWEEP_DEPTH ? end : SWEEP_DEPTH;
        for (ptrdiff_t front = 0; front <= height + 1 + ADJOINT_LAG * (sweeps - 1); front++) {
            for (ptrdiff_t sweep = 0; sweep < sweeps && ADJOINT_LAG * sweep <= front; sweep++) {
                const ptrdiff_t i = front - ADJOINT_LAG * sweep;
                if (i > height + 1) continue;
                const REAL *after = states + (end - sweep) * step + i * state_row;
                NAME(adjoint_row)(
                    plane, terms, after - step, after, fixed + i * fixed_row, adjoint + i * adjoint_size, sums, i
                );
            }
        }
    }
    NAME(flush_sums)(sums);
}
