#include "base/threads.h"

#include <linux/futex.h>
#include <omp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/memory.h"

/* About 20 microseconds: longer than the threads of a quiet machine are apart, much shorter than a scheduler's
 * slice. */
enum { SPINS = 1000 };

/* A number that threads wait on to change. */
typedef struct signpost {
    atomic_int value, sleepers;
} signpost;

struct elbo_team {
    int threads, workers; // workers: those that were started
    int spins;
    pthread_t *worker;
    void (*work)(void *context, int thread);
    void *context;
    bool quit;
    // Apart from each other, so that waiting on one does not slow writing to the next.
    _Alignas(64) signpost job;
    _Alignas(64) signpost meeting;
    _Alignas(64) atomic_int arrived;
};

typedef struct worker_start {
    elbo_team *team;
    int thread;
} worker_start;

int elbo_threads_default(void) { return omp_get_num_procs(); }

static inline void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void wait_for_change(signpost *s, int from, int spins) {
    for (int i = 0; i < spins; i++) {
        if (atomic_load_explicit(&s->value, memory_order_acquire) != from) return;
        pause_briefly();
    }
    while (atomic_load(&s->value) == from) {
        atomic_fetch_add(&s->sleepers, 1);
        syscall(SYS_futex, &s->value, FUTEX_WAIT_PRIVATE, from, NULL, NULL, 0);
        atomic_fetch_sub(&s->sleepers, 1);
    }
}

static void change(signpost *s) {
    atomic_fetch_add(&s->value, 1);
    if (atomic_load(&s->sleepers) > 0) syscall(SYS_futex, &s->value, FUTEX_WAKE_PRIVATE, 1 << 30, NULL, NULL, 0);
}

void elbo_team_barrier(elbo_team *team) {
    if (team->threads == 1) return;
    int meeting = atomic_load(&team->meeting.value);
    if (atomic_fetch_add(&team->arrived, 1) == team->threads - 1) {
        atomic_store(&team->arrived, 0);
        change(&team->meeting);
    } else {
        wait_for_change(&team->meeting, meeting, team->spins);
    }
}

static void *worker_main(void *argument) {
    worker_start start = *(worker_start *)argument;
    free(argument);
    omp_set_num_threads(1);
    for (int job = 0;; job++) {
        wait_for_change(&start.team->job, job, start.team->spins);
        if (start.team->quit) return NULL;
        start.team->work(start.team->context, start.thread);
        elbo_team_barrier(start.team);
    }
}

elbo_status elbo_team_make(elbo_team **team, int threads, elbo_error *err) {
    if (threads <= 0) threads = elbo_threads_default();
    elbo_team *t = elbo_alloc(1, sizeof *t);
    *team = t;
    if (!t) return elbo_no_memory(err);
    t->threads = threads;
    t->spins = threads <= elbo_threads_default() ? SPINS : 0; // more threads than cores: who waits should sleep
    t->worker = calloc((size_t)threads, sizeof *t->worker);
    sigset_t all, before; // signals are for the program's own threads
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    while (t->worker && t->workers < threads - 1) {
        worker_start *start = malloc(sizeof *start);
        if (!start) break;
        *start = (worker_start){t, t->workers + 1};
        if (pthread_create(&t->worker[t->workers], NULL, worker_main, start) != 0) {
            free(start);
            break;
        }
        t->workers++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (t->workers == threads - 1) return ELBO_OK;
    elbo_team_free(t);
    *team = NULL;
    return elbo_fail(err, ELBO_NO_MEMORY, "%d threads could not be started; try --threads 1", threads);
}

void elbo_team_free(elbo_team *t) {
    if (!t) return;
    t->quit = true;
    change(&t->job);
    for (int i = 0; i < t->workers; i++) pthread_join(t->worker[i], NULL);
    free(t->worker);
    free(t);
}

int elbo_team_threads(const elbo_team *team) { return team->threads; }

/* oneDNN's generated matrix products use the stack pointer for something else for a while. A signal handler that runs
 * just then gets its frame written over the heap (seen: one Ctrl-C in twenty ended training in "corrupted size vs.
 * prev_size"). So signals wait until the work is done, but for those that the work itself would cause. */
static void hold_signals(sigset_t *before) {
    static const int its_own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
    sigset_t all;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof its_own / sizeof *its_own; i++) sigdelset(&all, its_own[i]);
    pthread_sigmask(SIG_BLOCK, &all, before);
}

void elbo_team_run(elbo_team *team, void (*work)(void *context, int thread), void *context) {
    sigset_t before;
    hold_signals(&before);
    int outside = omp_get_max_threads();
    omp_set_num_threads(1); // for this thread's pieces; the caller gets his own setting back
    team->work = work;
    team->context = context;
    if (team->threads > 1) change(&team->job);
    work(context, 0);
    elbo_team_barrier(team);
    omp_set_num_threads(outside);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ---- a loop of pieces ---- */

typedef struct loop {
    void (*work)(void *context, int piece);
    void *context;
    int pieces;
    atomic_int next;
} loop;

static void run_loop(void *context, int thread) {
    (void)thread;
    loop *l = context;
    for (int piece; (piece = atomic_fetch_add(&l->next, 1)) < l->pieces;) l->work(l->context, piece);
}

void elbo_parallel_for(int threads, int pieces, void (*work)(void *context, int piece), void *context) {
    if (threads <= 0) threads = elbo_threads_default();
    if (threads > pieces) threads = pieces > 0 ? pieces : 1;
    loop l = {.work = work, .context = context, .pieces = pieces};
    elbo_team *team = NULL;
    elbo_error err;
    if (elbo_team_make(&team, threads, &err) == ELBO_OK)
        elbo_team_run(team, run_loop, &l);
    else
        run_loop(&l, 0);
    elbo_team_free(team);
}
