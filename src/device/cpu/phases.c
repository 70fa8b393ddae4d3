/* The order of a plan's steps, and where threads meet between them. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "device/cpu/program_make.h"

/* Weights are packed before the first shard starts; their gradients may wait until every shard is through, and what
 * needs all of those comes last. So there are two or three phases, instead of two for each layer. */
static int schedule_rank(const elbo_cpu_step *s) {
    if (s->early) return 0;
    if (s->tiles == 0) return 1;
    return s->barrier ? 3 : 2;
}

/* The first layer's weights are updated before the last one's: the next batch reads them first, and what has just been
 * written is slow to read for another core (bench/log.md, 10). */
elbo_status elbo_cpu_sort_steps(elbo_cpu_program *p, elbo_error *err) {
    elbo_cpu_step *sorted = malloc((size_t)p->steps * sizeof *sorted);
    if (!sorted) return elbo_no_memory(err);
    int n = 0;
    for (int rank = 0; rank < 4; rank++)
        for (int i = 0; i < p->steps; i++) {
            const elbo_cpu_step *s = &p->step[rank == 2 ? p->steps - 1 - i : i];
            if (schedule_rank(s) == rank) sorted[n++] = *s;
        }
    memcpy(p->step, sorted, (size_t)p->steps * sizeof *sorted);
    free(sorted);
    return ELBO_OK;
}

elbo_status elbo_cpu_cut_phases(elbo_cpu_program *p, elbo_error *err) {
    p->phase = calloc((size_t)p->steps, sizeof *p->phase);
    int tiles = 0;
    for (int i = 0; i < p->steps; i++) tiles += p->step[i].tiles;
    p->tile = calloc((size_t)tiles + 1, sizeof *p->tile);
    p->tile_squares = calloc((size_t)tiles + 1, sizeof *p->tile_squares);
    if (!p->phase || !p->tile || !p->tile_squares) return elbo_no_memory(err);
    for (int i = 0; i < p->steps; i++) {
        elbo_cpu_step *s = &p->step[i];
        bool tiled = s->tiles > 0;
        elbo_phase *last = p->phases ? &p->phase[p->phases - 1] : NULL;
        if (!last || s->barrier || last->tiled != tiled) {
            last = &p->phase[p->phases++];
            *last = (elbo_phase){.tiled = tiled, .first = i, .pieces = tiled ? 0 : p->shards};
        }
        last->count++;
        s->first_tile = p->tiles;
        for (int t = 0; t < s->tiles; t++) {
            p->tile[p->tiles++] = (elbo_tile){i, t};
            last->pieces++;
        }
    }
    p->range = elbo_alloc((size_t)p->phases * (size_t)elbo_team_threads(p->team), sizeof *p->range);
    return p->range ? ELBO_OK : elbo_no_memory(err);
}
