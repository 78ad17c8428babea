/* The interface to Python: one struct of sizes and addresses. Its twin is `_Problem` in ../launch.py. */
#ifndef REP_FLOW_PROBLEM_H
#define REP_FLOW_PROBLEM_H

#include <stdint.h>

typedef struct {
    int64_t batch, channels, frames, height, width;
    int64_t x_strides[3];                     /* of N, C, T, in elements; H and W are contiguous */
    const void *x;                            /* (N, C, T, H, W) */
    const void *theta, *lam, *tau;            /* () each */
    const void *image_kernel;                 /* (2, C, 3, 3) */
    const void *flow_kernel, *div_kernel;     /* (2, C, 2) each */
    int64_t num_iters, num_threads;
    void *u;                                  /* (N, 2C, T-1, H, W) */
    int64_t grad_u_strides[3];                /* as x_strides */
    const void *grad_u;                       /* (N, 2C, T-1, H, W) */
    void *grad_x;                             /* (N, C, T, H, W), contiguous */
    void *grad_theta, *grad_lam, *grad_tau;   /* () each */
    void *grad_image_kernel;                  /* (2, C, 3, 3) */
    void *grad_flow_kernel, *grad_div_kernel; /* (2, C, 2) each */
} rep_flow_problem;

#endif
