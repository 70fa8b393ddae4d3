/* Makes every allocation and every system call of some small runs of elbo fail, once or from there on, and looks at what
 * becomes of them: one clear line or none needed, whole files, and the same bits afterwards.
 *
 * sweep ELBO LIBRARY [--sample N | --few N] [--seed S] [--only CASE] [--kind memory|onednn|calls|disk] [--at N] [--from] [--part I/N] */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cases.h"
#include "chance.h"

static struct {
    long sample, few, at; // sample: of each way, few: of each case, 0: all; at below 0: not one alone
    unsigned long long seed;
    const char *only, *kind;
    bool from;
    int part, parts;
} asked = {.at = -1, .parts = 1};

static const struct {
    const char *name;
    fault_kind kind;
    bool from;
} ways[] = {{"memory", FAULT_MEMORY, false}, {"memory", FAULT_MEMORY, true}, {"onednn", FAULT_ONEDNN, false},
            {"onednn", FAULT_ONEDNN, true},  {"calls", FAULT_CALLS, false},  {"disk", FAULT_DISK, true}};

static long attempts, fired, ended, failures;

static void try_one(const fault_case *c, int way, long at) {
    static outcome o;
    attempt a = {.folder = cases_folder(), .words = c->words, .kind = ways[way].kind, .at = at, .from = ways[way].from};
    const char *wrong = case_attempt(c, &a, &o);
    attempts++;
    fired += o.fired;
    ended += o.code != 0;
    if (!wrong && asked.at < 0) return;
    failures += wrong != NULL;
    printf("%s: %s %ld%s: %s\n  exit %d, stdout: %.300s stderr: %.600s\n  %s\n", c->name, ways[way].name, at,
           a.from ? " and all that follow" : "", wrong ? wrong : "fine", o.code, o.out, o.err, o.where);
    fflush(stdout);
}

static long draw(long count) { return (long)(chance(&asked.seed) % (unsigned long long)count); }

static void try_way(const fault_case *c, int way) {
    long count = case_count(c, ways[way].kind), before = attempts, ended_before = ended;
    if (asked.at >= 0)
        try_one(c, way, asked.at);
    else if (asked.sample)
        for (long i = 0; i < asked.sample && count; i++) try_one(c, way, draw(count));
    else
        for (long i = asked.part; i < count; i += asked.parts) try_one(c, way, i);
    printf("%-22s %-7s %-16s %6ld of %6ld tried, %6ld ended with exit 1\n", c->name, ways[way].name,
           ways[way].from ? "and all after it" : "once", attempts - before, count, ended - ended_before);
    fflush(stdout);
}

/* For a test that takes seconds. */
static void try_few(const fault_case *c) {
    for (long i = 0; i < asked.few; i++) {
        int way = (int)draw(sizeof ways / sizeof *ways);
        long count = case_count(c, ways[way].kind);
        if (count) try_one(c, way, draw(count));
    }
}

static void read_arguments(int argc, char **argv) {
    static const struct option options[] = {{"sample", 1, 0, 'n'}, {"few", 1, 0, 'w'},  {"seed", 1, 0, 's'},
                                            {"only", 1, 0, 'o'},   {"kind", 1, 0, 'k'}, {"at", 1, 0, 'a'},
                                            {"from", 0, 0, 'f'},   {"part", 1, 0, 'p'}, {0}};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) switch (c) {
        case 'n': asked.sample = atol(optarg); break;
        case 'w': asked.few = atol(optarg); break;
        case 's': asked.seed = strtoull(optarg, NULL, 0); break;
        case 'o': asked.only = optarg; break;
        case 'k': asked.kind = optarg; break;
        case 'a': asked.at = atol(optarg); break;
        case 'f': asked.from = true; break;
        case 'p':
            if (sscanf(optarg, "%d/%d", &asked.part, &asked.parts) != 2) exit(2);
            break;
        default: exit(2);
        }
    if (argc - optind != 2) {
        fprintf(
            stderr,
            "usage: sweep ELBO LIBRARY [--sample N | --few N] [--seed S] [--only CASE] [--kind memory|onednn|calls|disk] "
            "[--at N] [--from] [--part I/N]\n");
        exit(2);
    }
    attempt_use(argv[optind], argv[optind + 1]);
    if (!asked.seed) asked.seed = chance_seed();
}

int main(int argc, char **argv) {
    enum { SKIPPED = 77 }; // to Meson
    static outcome o;
    read_arguments(argc, argv);
    if (attempt_lacks()) {
        printf("faults: skipped: %s\n", attempt_lacks());
        return SKIPPED;
    }
    if (asked.sample || asked.few) printf("seed %llu\n", asked.seed);
    cases_open(2);
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < fault_case_count; i++) {
        const fault_case *c = &fault_cases[i];
        if ((asked.only && strcmp(asked.only, c->name)) || !case_prepare(c, &o)) continue;
        if (asked.few) try_few(c);
        for (int way = 0; !asked.few && way < (int)(sizeof ways / sizeof *ways); way++)
            if ((!asked.kind || !strcmp(asked.kind, ways[way].name)) && (!asked.from || ways[way].from))
                try_way(c, way);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%ld attempts in %ld s: %ld faults met, %ld ended with exit 1, %ld wrong\n", attempts,
           (long)(end.tv_sec - begin.tv_sec), fired, ended, failures);
    cases_close();
    return failures ? 1 : 0;
}
