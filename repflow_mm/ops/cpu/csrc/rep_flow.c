/* The fused CPU solver, forward and backward, TV-L1 over it, and Brox flow, in float and double. ../README.md says how and why. */

#define _GNU_SOURCE /* RTLD_DEFAULT */
#include <math.h>
#include <string.h>

#include "brox_problem.h"
#include "layout.h"
#include "problem.h"
#include "tasks.h"
#include "tvl1_problem.h"

/* What the states recomputed for the backward pass may take per thread; beyond it they are checkpointed. */
#define HISTORY_BYTES (32 << 20)

#define REAL float
#define SUFFIX float32
#define SQRT sqrtf
#include "solver.h"
#include "forward.h"
#include "arithmetic.h"
#include "adjoint.h"
#include "backward.h"
#include "median.h"
#include "warp.h"
#include "tvl1.h"
#include "brox.h"
#undef REAL
#undef SUFFIX
#undef SQRT

#define REAL double
#define SUFFIX float64
#define SQRT sqrt
#include "solver.h"
#include "forward.h"
#include "arithmetic.h"
#include "adjoint.h"
#include "backward.h"
#include "median.h"
#include "warp.h"
#include "tvl1.h"
#include "brox.h"
