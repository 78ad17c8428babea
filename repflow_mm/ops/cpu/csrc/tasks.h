/* Runs tasks on several threads: those of torch's OpenMP runtime, whose threads spin for a while after torch's own work
 * and would be in the way of others. Where that runtime is not found, or the process was forked, which its pool does not
 * survive, threads are started for a call and joined before it returns. */
#ifndef REP_FLOW_TASKS_H
#define REP_FLOW_TASKS_H

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_THREADS 256
#define SCRATCH_ALIGNMENT 64

/* Below this many pixel-iterations per thread, starting a thread costs more than it saves. */
#define MIN_WORK_PER_THREAD 100000.0

typedef struct {
    void (*run)(void *context, void *scratch, ptrdiff_t task);
    void *context;
    ptrdiff_t count, next;
    size_t scratch_bytes;
    int failed;
} task_list;

static void *run_worker(void *argument) {
    task_list *tasks = argument;
    /* calloc and an offset rather than aligned_alloc: large blocks come zeroed from the system for nothing. */
    char *block = calloc(1, tasks->scratch_bytes + SCRATCH_ALIGNMENT);
    if (!block) {
        __atomic_store_n(&tasks->failed, 1, __ATOMIC_RELAXED);
        return NULL;
    }
    void *scratch = block + (SCRATCH_ALIGNMENT - (uintptr_t)block % SCRATCH_ALIGNMENT);
    ptrdiff_t task;
    while ((task = __atomic_fetch_add(&tasks->next, 1, __ATOMIC_RELAXED)) < tasks->count) {
        tasks->run(tasks->context, scratch, task);
    }
    free(block);
    return NULL;
}

/* GNU's entry point of a parallel region, which the other OpenMP runtimes have as well: `run(argument)` on so many
 * threads, the caller among them, or fewer. */
typedef void (*parallel_region)(void (*run)(void *), void *argument, unsigned num_threads, unsigned flags);

static parallel_region torch_region;
static pid_t torch_process;

__attribute__((constructor)) static void find_torch_region(void) {
    torch_region = (parallel_region)dlsym(RTLD_DEFAULT, "GOMP_parallel");
    torch_process = getpid();
}

static void run_member(void *tasks) { run_worker(tasks); }

static void run_on_own_threads(task_list *tasks, int64_t wanted) {
    pthread_t threads[MAX_THREADS];
    int64_t started = 0;
    while (started < wanted - 1 && pthread_create(&threads[started], NULL, run_worker, tasks) == 0) started++;
    run_worker(tasks);
    for (int64_t i = 0; i < started; i++) pthread_join(threads[i], NULL);
}

/* Run all tasks, `work` pixel-iterations in total. Returns 0, or 1 where memory ran out. */
static int run_tasks(task_list *tasks, int64_t num_threads, double work) {
    int64_t wanted = num_threads < MAX_THREADS ? num_threads : MAX_THREADS;
    if (wanted > tasks->count) wanted = tasks->count;
    if (wanted > work / MIN_WORK_PER_THREAD) wanted = (int64_t)(work / MIN_WORK_PER_THREAD);
    if (wanted < 2) {
        run_worker(tasks);
    } else if (torch_region && getpid() == torch_process) {
        torch_region(run_member, tasks, (unsigned)wanted, 0);
    } else {
        run_on_own_threads(tasks, wanted);
    }
    return tasks->failed;
}

#endif
