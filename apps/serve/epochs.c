#include "epochs.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "run/history.h"

elbo_status serve_epoch_of_query(const serve_call *c, int *epoch, elbo_error *err) {
    long value;
    ELBO_TRY(serve_query_int(c, "epoch", 0, INT32_MAX, -1, &value, err));
    *epoch = value == c->run->model->facts.epoch ? -1 : (int)value;
    return ELBO_OK;
}

static elbo_status open_epoch(elbo_model **m, const serve_run *run, int epoch, const elbo_model_options *o,
                              elbo_error *err) {
    int *epochs, count;
    bool there = false;
    ELBO_TRY(elbo_history_list(run->folder, &epochs, &count, err));
    for (int i = 0; i < count; i++) there = there || epochs[i] == epoch;
    free(epochs);
    if (!there)
        return elbo_fail(err, ELBO_NOT_FOUND, "epoch %d: %s keeps no weights of it; train.history=24 keeps some", epoch,
                         run->folder);
    char *folder = elbo_history_folder(run->folder, epoch);
    elbo_status status = folder ? elbo_model_open_with(m, folder, o, err) : elbo_no_memory(err);
    free(folder);
    if (status != ELBO_OK) return status;
    const elbo_graph *g = &(*m)->network.graph, *own = &run->model->network.graph;
    if (g->latent == own->latent && !memcmp(&g->image, &own->image, sizeof g->image)) return ELBO_OK;
    elbo_model_close(*m);
    *m = NULL;
    return elbo_fail(err, ELBO_BAD_INPUT, "epoch %d: is of another network than %s", epoch, run->folder);
}

elbo_status serve_epoch_open(serve_run *run, int epoch, elbo_model **one, elbo_error *err) {
    elbo_model_options o = {.size = sizeof o, .threads = 1, .rows = 1};
    for (int i = 0; i < SERVE_EPOCHS; i++)
        if (run->epoch[i].model && run->epoch[i].number == epoch) {
            *one = run->epoch[i].model;
            return ELBO_OK;
        }
    ELBO_TRY(open_epoch(one, run, epoch, &o, err));
    elbo_model_close(run->epoch[SERVE_EPOCHS - 1].model); // opened the longest ago
    memmove(run->epoch + 1, run->epoch, (SERVE_EPOCHS - 1) * sizeof *run->epoch);
    run->epoch[0] = (serve_epoch){epoch, *one};
    return ELBO_OK;
}

static bool is_kept(const serve_run *run, int epoch, const elbo_latent_map *own) {
    const elbo_latent_map *m = &run->epoch_map;
    return m->n && run->epoch_of_map == epoch && m->method == own->method && m->x == own->x && m->y == own->y;
}

elbo_status serve_epoch_map(serve_call *c, int epoch, const elbo_latent_map *own, elbo_latent_map **map,
                            elbo_error *err) {
    const serve_options *o = serve_get_options(c->server);
    serve_run *run = c->run;
    *map = &run->epoch_map;
    if (own->method == ELBO_MAP_TSNE)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "epoch: t-SNE is of the run's own weights; pca and dims go through epochs");
    if (is_kept(run, epoch, own)) return ELBO_OK;
    elbo_model_options many = {.size = sizeof many, .threads = o->threads};
    elbo_model *m;
    elbo_points p = {0};
    ELBO_TRY(open_epoch(&m, run, epoch, &many, err));
    elbo_latent_map_free(*map);
    run->epoch_of_map = epoch;
    elbo_status status = elbo_points_open(&p, m, &run->data->set, !o->read_only && !o->data, err);
    if (status == ELBO_OK)
        status = own->method == ELBO_MAP_DIMS ? elbo_latent_map_dims(*map, &p, own->x, own->y, err)
                                              : elbo_latent_map_pca(*map, &p, o->threads, err);
    if (status == ELBO_OK) elbo_latent_map_lay_on(*map, own);
    elbo_points_free(&p);
    elbo_model_close(m);
    return status;
}
