/* Template (REAL, SUFFIX, SQRT): one plane's set-up and iterations. docs/mathematics.md has the equations. */

#ifndef NAME
#define NAME(name) JOIN(name, SUFFIX)
#define LANES ((ptrdiff_t)(VECTOR_BYTES / sizeof(REAL)))
#endif

/* Scalars and one channel's taps. The flow gradient's and the divergence's horizontal taps are rows of `length`
 * elements that are zero from the last column on: this is the border rule. */
typedef struct {
    REAL theta, limit, rate;
    const REAL *image_x, *image_y;          /* (3, 3) each */
    REAL flow_x[2], flow_y[2], div_x[2], div_y[2];
    REAL *flow_row[2], *div_row[2];         /* (length) each */
} NAME(terms);

static void NAME(set_terms)(NAME(terms) *terms, const layout *plane, const rep_flow_problem *problem, ptrdiff_t channel) {
    const REAL *image = problem->image_kernel, *flow = problem->flow_kernel, *div = problem->div_kernel;
    const REAL theta = *(const REAL *)problem->theta, lam = *(const REAL *)problem->lam;
    const REAL tau = *(const REAL *)problem->tau;
    const ptrdiff_t channels = problem->channels;
    terms->theta = theta;
    terms->limit = lam * theta;
    terms->rate = tau / theta;
    terms->image_x = image + channel * 9;
    terms->image_y = image + (channels + channel) * 9;
    for (int tap = 0; tap < 2; tap++) {
        terms->flow_x[tap] = flow[channel * 2 + tap];
        terms->flow_y[tap] = flow[(channels + channel) * 2 + tap];
        terms->div_x[tap] = div[channel * 2 + tap];
        terms->div_y[tap] = div[(channels + channel) * 2 + tap];
        for (ptrdiff_t j = 0; j < plane->width - 1; j++) {
            terms->flow_row[tap][j] = terms->flow_x[tap];
            terms->div_row[tap][j] = terms->div_x[tap];
        }
    }
}

/* Copy a plane (H, W) into padded rows of one field. */
static void NAME(pad_rows)(const layout *plane, const REAL *from, REAL *to, ptrdiff_t to_row) {
    for (ptrdiff_t i = 0; i < plane->height; i++) {
        memcpy(to + i * to_row, from + i * plane->width, plane->width * sizeof(REAL));
        memset(to + i * to_row + plane->width, 0, (plane->length - plane->width) * sizeof(REAL));
    }
}

static void NAME(image_gradient_row)(const layout *plane, const NAME(terms) *terms, const REAL *second, REAL *fixed) {
    const ptrdiff_t above = -row_size(plane, 1), stride = plane->stride;
    const REAL *kx = terms->image_x, *ky = terms->image_y;
    SIMD for (ptrdiff_t j = 0; j < plane->length; j++) {
        REAL grad_x = 0, grad_y = 0;
        for (int row = 0; row < 3; row++) {
            for (int column = 0; column < 3; column++) {
                const REAL value = second[(1 - row) * above + j + column - 1];
                grad_x += kx[row * 3 + column] * value;
                grad_y += ky[row * 3 + column] * value;
            }
        }
        fixed[GRAD_X * stride + j] = grad_x;
        fixed[GRAD_Y * stride + j] = grad_y;
    }
}

/* A row's inverse norms from its image gradient, and zeros behind the width in all of its fields. */
static void NAME(complete_fixed_row)(const layout *plane, REAL *row) {
    const ptrdiff_t width = plane->width, stride = plane->stride;
    const REAL *grad_x = row + GRAD_X * stride, *grad_y = row + GRAD_Y * stride;
    REAL *neg_inv_norm = row + NEG_INV_NORM * stride, *low = row + NEG_INV_NORM_LOW * stride;
    SIMD for (ptrdiff_t j = 0; j < width; j++) {
        const REAL squared_norm = grad_x[j] * grad_x[j] + grad_y[j] * grad_y[j] + (REAL)EPSILON;
        neg_inv_norm[j] = -1 / squared_norm;
        /* Exact where there is an FMA; the condition keeps an overflowing norm from turning into NaN. */
        low[j] = neg_inv_norm[j] == 0 ? 0 : (1 + neg_inv_norm[j] * squared_norm) * neg_inv_norm[j];
    }
    for (int field = 0; field < CONST_FIELDS; field++) {
        memset(row + field * stride + width, 0, (plane->length - width) * sizeof(REAL));
    }
}

/* The fields that stay fixed. `second_padded` has rows of one field; first and second are (H, W). */
static void NAME(set_fixed)(
    const layout *plane, const NAME(terms) *terms, const REAL *first, const REAL *second, REAL *second_padded, REAL *fixed
) {
    const ptrdiff_t height = plane->height, width = plane->width, stride = plane->stride;
    const REAL half = (REAL)0.5;
    NAME(pad_rows)(plane, second, second_padded, row_size(plane, 1));
    for (ptrdiff_t i = 0; i < height; i++) {
        REAL *row = fixed + i * row_size(plane, CONST_FIELDS);
        REAL *grad_x = row + GRAD_X * stride, *grad_y = row + GRAD_Y * stride;
        REAL *rho_c = row + RHO_C * stride;
        const REAL *f1 = first + i * width, *f2 = second + i * width;
        NAME(image_gradient_row)(plane, terms, second_padded + i * row_size(plane, 1), row);
        /* NOTE: the borders come from the first frame, as in the authors' released layer. */
        grad_x[0] = (f1[1] - f1[0]) * half;
        grad_x[width - 1] = (f1[width - 1] - f1[width - 2]) * half;
        if (i == 0 || i == height - 1) {
            const REAL *upper = i == 0 ? f1 : f1 - width, *lower = upper + width;
            for (ptrdiff_t j = 0; j < width; j++) grad_y[j] = (lower[j] - upper[j]) * half;
        }
        SIMD for (ptrdiff_t j = 0; j < width; j++) rho_c[j] = f2[j] - f1[j];
        /* The clamp of the step would not notice that its limit is NaN. */
        if (isnan(terms->limit)) {
            for (ptrdiff_t j = 0; j < width; j++) rho_c[j] = terms->limit;
        }
        NAME(complete_fixed_row)(plane, row);
    }
}

/* One iteration's u of row i and p of row i - 1, from state `from` to state `to` (the same, or another one).
 * p of row i - 1 waits for u of row i, and u of row i needs p of row i - 1 as it was: hence the order.
 * All pointers are to row i; `with_u` and `with_p` are constants where this is inlined: row 0 has no p before
 * it, row H no u, and the last row's vertical flow gradient is zero. `change`, LANES sums of the squared change
 * of u, or NULL, a constant as well. */
INLINE void NAME(iterate_row)(
    const layout *plane, const NAME(terms) *terms, const REAL *from, REAL *to, const REAL *fixed, REAL *change,
    int with_u, int with_p
) {
    const ptrdiff_t stride = plane->stride, length = plane->length, above = -row_size(plane, STATE_FIELDS);
    const REAL theta = terms->theta, limit = terms->limit, rate = terms->rate;
    const REAL div_x0 = terms->div_x[0], div_x1 = terms->div_x[1];
    const REAL div_y0 = terms->div_y[0], div_y1 = terms->div_y[1];
    const REAL flow_y0 = terms->flow_y[0], flow_y1 = terms->flow_y[1];
    const REAL *flow_x0 = terms->flow_row[0], *flow_x1 = terms->flow_row[1];
    const REAL *from_above = from + above;
    REAL *to_above = to + above;
    for (ptrdiff_t block = 0; block < length; block += LANES) {
        SIMD for (ptrdiff_t j = block; j < block + LANES; j++) {
            REAL u_x = 0, u_y = 0;
            const REAL above_xy = from_above[P_XY * stride + j], above_yy = from_above[P_YY * stride + j];
            if (with_u) {
                const REAL grad_x = fixed[GRAD_X * stride + j], grad_y = fixed[GRAD_Y * stride + j];
                const REAL *p_xx = from + P_XX * stride + j, *p_yx = from + P_YX * stride + j;
                u_x = from[U_X * stride + j];
                u_y = from[U_Y * stride + j];
                const REAL rho = fixed[RHO_C * stride + j] + grad_x * u_x + grad_y * u_y;
                REAL step = rho * fixed[NEG_INV_NORM * stride + j] + rho * fixed[NEG_INV_NORM_LOW * stride + j];
                step = step < -limit ? -limit : step;
                step = step > limit ? limit : step;
                const REAL div_u_x =
                    div_x0 * p_xx[-1] + div_x1 * p_xx[0] + (div_y0 * above_xy + div_y1 * from[P_XY * stride + j]);
                const REAL div_u_y =
                    div_x0 * p_yx[-1] + div_x1 * p_yx[0] + (div_y0 * above_yy + div_y1 * from[P_YY * stride + j]);
                u_x = u_x + step * grad_x + theta * div_u_x;
                u_y = u_y + step * grad_y + theta * div_u_y;
                if (change) {
                    const REAL change_x = u_x - from[U_X * stride + j], change_y = u_y - from[U_Y * stride + j];
                    change[j - block] += change_x * change_x + change_y * change_y;
                }
                to[U_X * stride + j] = u_x;
                to[U_Y * stride + j] = u_y;
            }
            if (with_p) {
                const REAL *above_u_x = to_above + U_X * stride + j, *above_u_y = to_above + U_Y * stride + j;
                const REAL ax_x = flow_x0[j] * above_u_x[0] + flow_x1[j] * above_u_x[1];
                const REAL ax_y = flow_x0[j] * above_u_y[0] + flow_x1[j] * above_u_y[1];
                const REAL ay_x = with_u ? flow_y0 * above_u_x[0] + flow_y1 * u_x : 0;
                const REAL ay_y = with_u ? flow_y0 * above_u_y[0] + flow_y1 * u_y : 0;
                const REAL inv_shrink_x = 1 / (1 + rate * SQRT(ax_x * ax_x + (ay_x * ay_x + (REAL)EPSILON)));
                const REAL inv_shrink_y = 1 / (1 + rate * SQRT(ax_y * ax_y + (ay_y * ay_y + (REAL)EPSILON)));
                to_above[P_XX * stride + j] = (from_above[P_XX * stride + j] + rate * ax_x) * inv_shrink_x;
                to_above[P_XY * stride + j] = (above_xy + rate * ay_x) * inv_shrink_x;
                to_above[P_YX * stride + j] = (from_above[P_YX * stride + j] + rate * ax_y) * inv_shrink_y;
                to_above[P_YY * stride + j] = (above_yy + rate * ay_y) * inv_shrink_y;
            }
        }
    }
}

/* Iterations [begin, end) over one plane. State k lies at `states + k * step`; step 0 updates in place. Iteration
 * k + 1 follows SWEEP_LAG rows behind iteration k, so that SWEEP_DEPTH of them share the rows that are in the cache. */
static void NAME(iterate)(
    const layout *plane, const NAME(terms) *terms, REAL *states, ptrdiff_t step, const REAL *fixed,
    ptrdiff_t begin, ptrdiff_t end
) {
    const ptrdiff_t height = plane->height;
    const ptrdiff_t state_row = row_size(plane, STATE_FIELDS), fixed_row = row_size(plane, CONST_FIELDS);
    for (ptrdiff_t start = begin; start < end; start += SWEEP_DEPTH) {
        const ptrdiff_t sweeps = end - start < SWEEP_DEPTH ? end - start : SWEEP_DEPTH;
        for (ptrdiff_t front = 0; front <= height + SWEEP_LAG * (sweeps - 1); front++) {
            for (ptrdiff_t sweep = 0; sweep < sweeps && SWEEP_LAG * sweep <= front; sweep++) {
                const ptrdiff_t i = front - SWEEP_LAG * sweep;
                if (i > height) continue;
                const REAL *from = states + (start + sweep) * step + i * state_row;
                REAL *to = states + (start + sweep + 1) * step + i * state_row;
                if (i == 0) NAME(iterate_row)(plane, terms, from, to, fixed, NULL, 1, 0);
                else if (i == height) NAME(iterate_row)(plane, terms, from, to, fixed, NULL, 0, 1);
                else NAME(iterate_row)(plane, terms, from, to, fixed + i * fixed_row, NULL, 1, 1);
            }
        }
    }
}
