/* Kills small runs of elbo (SIGKILL) at random moments and looks at what is left: whole files, and the same bits when the
 * command is given once more.
 *
 * kills ELBO [--kills N] [--seed S] [--only CASE] */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "chance.h"

int main(int argc, char **argv) {
    static const struct option options[] = {{"kills", 1, 0, 'n'}, {"seed", 1, 0, 's'}, {"only", 1, 0, 'o'}, {0}};
    static outcome o;
    long wanted = 100, kills = 0, failures = 0, attempts = 0;
    const char *only = NULL;
    unsigned long long seed = chance_seed();
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) switch (c) {
        case 'n': wanted = atol(optarg); break;
        case 's': seed = strtoull(optarg, NULL, 0); break;
        case 'o': only = optarg; break;
        default: return 2;
        }
    if (argc - optind != 1) {
        fprintf(stderr, "usage: kills ELBO [--kills N] [--seed S] [--only CASE]\n");
        return 2;
    }
    printf("seed %llu\n", seed);
    attempt_use(argv[optind], NULL);
    cases_open(8);
    for (int i = 0; i < fault_case_count; i++) {
        const fault_case *c = &fault_cases[i];
        if ((only && strcmp(only, c->name)) || !case_prepare(c, &o)) continue;
        double whole = o.seconds;
        long before = kills, share = only ? wanted : (wanted - kills) / (fault_case_count - i);
        for (long tries = 0; kills - before < share && tries < 4 * share; tries++, attempts++) {
            double after = whole * (double)(chance(&seed) >> 11) * 0x1p-53 + 1e-4;
            attempt a = {.folder = cases_folder(), .words = c->words, .at = -1, .kill_after = after};
            const char *wrong = case_attempt(c, &a, &o);
            kills += o.code == 128 + 9;
            failures += wrong != NULL;
            if (wrong) printf("%s: killed after %.6f of %.3f s: %s\n%s\n", c->name, after, whole, wrong, o.err);
        }
        printf("%-22s %5ld kills in its %.3f s\n", c->name, kills - before, whole);
        fflush(stdout);
    }
    printf("%ld attempts, %ld kills, %ld wrong\n", attempts, kills, failures);
    cases_close();
    return failures ? 1 : 0;
}
