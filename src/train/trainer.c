/* The training loop. Nothing in it allocates: plans, state and the permutation are made before the first step. */
#include "train/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "nn/ops/op.h"
#include "train/evaluate.h"
#include "run/model.h"
#include "run/run_folder.h"
#include "nn/vgg16.h"

typedef struct trainer {
    const elbo_recipe *recipe;
    const elbo_dataset *data;
    elbo_train_options options;
    elbo_network network;
    elbo_network *features; // of the perceptual term, or NULL
    float *m, *v;           // (param_floats)
    elbo_team *team;
    elbo_plan plan;
    elbo_evaluator evaluator;
    elbo_metrics metrics;
    size_t values;   // of an image
    uint32_t *order; // (train.count): this epoch's permutation
    elbo_position at;
    elbo_log log;
    double last_save, save_seconds; // when the last one ended, and how long it took
    double started, last_report;    // clock of this process's part of the epoch
    uint32_t done_before;           // images of the epoch that an earlier process had done
    int lock;                       // of the run folder, or -1
    bool was_finished;
} trainer;

/* ---- one step ---- */

static elbo_update update_at(const elbo_recipe *r, int epoch, uint64_t step) { // step from 1
    double b1 = r->train.betas[0], b2 = r->train.betas[1];
    return (elbo_update){.lr = (float)elbo_learning_rate(r, epoch),
                         .momentum = r->train.momentum,
                         .weight_decay = r->train.weight_decay,
                         .beta1 = r->train.betas[0],
                         .beta2 = r->train.betas[1],
                         .eps = r->train.eps,
                         .correction1 = (float)(1 - pow(b1, (double)step)),
                         .correction2 = (float)sqrt(1 - pow(b2, (double)step)),
                         .gradient_scale = 1,
                         .first = step == 1};
}

static uint64_t steps_per_epoch(const trainer *t) {
    uint32_t batch = (uint32_t)t->recipe->train.batch;
    return (t->data->train.count + batch - 1) / batch;
}

elbo_batch_args elbo_training_args(const elbo_recipe *r, const elbo_network *n, const elbo_images *images,
                                   const uint32_t *index, int count, float *m, float *v, int epoch, uint64_t step,
                                   uint64_t steps_an_epoch) {
    return (elbo_batch_args){
        .images = images,
        .index = index,
        .count = count,
        .params = n->params,
        .low = r->image.low,
        .high = r->image.high,
        .augment = r->augments,
        .noise = {.seed = r->train.seed, .purpose = ELBO_FOR_NOISE, .epoch = (uint32_t)epoch},
        .kl_weight = (float)elbo_kl_weight(r, step - 1, steps_an_epoch),
        .loss_scale =
            (float)(1 / ((double)count * (r->loss.scale == ELBO_MEAN ? (double)elbo_image_size(images->shape) : 1))),
        .weights = n->params,
        .m = m,
        .v = v,
        .update = update_at(r, epoch, step),
    };
}

static const char advice[] = "try a smaller train.lr, or train.clip=1";

/* After a step: fails with the first of the weights, or of what the optimiser keeps of them, that is not finite. */
static elbo_status check_weights(const trainer *t, elbo_error *err) {
    static const char *const what[] = {"weights", "running means of the gradient of",
                                       "running means of the squared gradient of"};
    const float *const block[] = {t->network.params, t->m, t->v};
    const elbo_graph *g = &t->network.graph;
    for (int b = 0; b < 3; b++)
        for (int i = 0; i < g->params; i++)
            for (size_t k = 0; k < g->param[i].count; k++)
                if (!isfinite(block[b][g->param[i].offset + k]))
                    return elbo_fail(err, ELBO_DIVERGED, "step %llu (epoch %d): %s `%s` are no longer finite; %s",
                                     (unsigned long long)t->at.step, t->at.epoch + (t->at.images_done > 0), what[b],
                                     g->param[i].name, advice);
    return ELBO_OK;
}

/* A NaN or infinity stops the run. What to say: which step, which tensor, and what usually helps. */
static elbo_status report_divergence(trainer *t, elbo_batch_args *pass, elbo_error *err) {
    ELBO_TRY(check_weights(t, err));
    const elbo_step *s = elbo_plan_find_nonfinite(&t->plan, pass);
    return elbo_fail(err, ELBO_DIVERGED, "step %llu (epoch %d): `%s` (%s, %s) gives values that are not finite; %s",
                     (unsigned long long)t->at.step + 1, t->at.epoch + 1, s ? s->node->name : "loss",
                     s ? s->node->op->name : "loss", s ? s->what : "sum", advice);
}

static elbo_status run_step(trainer *t, elbo_error *err) {
    uint32_t left = t->data->train.count - t->at.images_done, batch = (uint32_t)t->recipe->train.batch;
    int count = (int)(left < batch ? left : batch);
    elbo_batch_args pass = elbo_training_args(t->recipe, &t->network, &t->data->train, t->order + t->at.images_done,
                                              count, t->m, t->v, t->at.epoch, t->at.step + 1, steps_per_epoch(t));
    elbo_plan_run(&t->plan, &pass);
    if (pass.diverged) return report_divergence(t, &pass, err);
    double sums[ELBO_MAX_METRICS] = {0};
    elbo_plan_add_metrics(&t->plan, count, sums);
    elbo_metric_sums_add(&t->at.sums, &t->metrics, sums);
    t->at.images_done += (uint32_t)count;
    t->at.step++;
    return ELBO_OK;
}

/* ---- telling the caller ---- */

/* The training images' scores of the epoch so far, with the KL's weight in the last step. */
static elbo_scores train_scores(const trainer *t) {
    elbo_scores s = elbo_scores_of(&t->metrics, &t->at.sums, t->at.images_done, t->values);
    uint64_t step = t->at.step ? t->at.step - 1 : 0;
    elbo_scores_set_objective(&s, t->recipe, elbo_kl_weight(t->recipe, step, steps_per_epoch(t)), t->values);
    return s;
}

/* Returns true when the caller wants to stop. */
static bool report(trainer *t, double time, const elbo_epoch_log *finished) {
    if (!t->options.progress) return false;
    t->last_report = time;
    uint32_t images = t->data->train.count;
    double rate =
        finished ? finished->images_per_second : (t->at.images_done - t->done_before) / fmax(time - t->started, 1e-9);
    int epochs_after = t->recipe->train.epochs - t->at.epoch - (finished ? 0 : 1);
    double images_left = (double)epochs_after * images + (finished ? 0 : images - t->at.images_done);
    elbo_scores now = finished ? finished->train : train_scores(t);
    elbo_progress p = {
        .epoch = t->at.epoch + (finished ? 0 : 1),
        .epochs = t->recipe->train.epochs,
        .images_done = finished ? images : t->at.images_done,
        .images = images,
        .loss = now.loss,
        .objective = now.objective,
        .images_per_second = rate,
        .seconds_left = rate > 0 ? images_left / rate : 0,
        .finished = finished,
    };
    return t->options.progress(t->options.context, &p);
}

/* ---- epochs ---- */

/* A long epoch is not lost, and short ones do not wait for the disk: a checkpoint is three times the model, and on disk
 * before the next step, so one follows another when nine times as long was spent on training. */
enum { SECONDS_BETWEEN_SAVES = 60, SHARE_OF_SAVING = 9 };

static elbo_status save(trainer *t, elbo_error *err) {
    const char *run = t->options.run;
    ELBO_TRY(check_weights(t, err)); // the last step may have broken what the files would hold
    if (!run) return ELBO_OK;
    double start = elbo_now();
    ELBO_TRY(elbo_log_save(run, &t->log, err));
    ELBO_TRY(elbo_model_save(run, &t->network, t->recipe->name, t->options.data_path, err));
    ELBO_TRY(elbo_checkpoint_save(run, &t->network, &t->metrics, t->m, t->v, &t->at, err)); // last: a resume goes by it
    t->last_save = elbo_now();
    t->save_seconds = t->last_save - start;
    return ELBO_OK;
}

static elbo_status finish_epoch(trainer *t, elbo_error *err, bool *stop) {
    const elbo_recipe *r = t->recipe;
    double n = t->data->train.count;
    elbo_epoch_log line = {
        .epoch = t->at.epoch + 1,
        .train = train_scores(t),
        .seconds = t->at.epoch_seconds,
        .images_per_second = n / fmax(t->at.epoch_seconds, 1e-9),
        .lr = elbo_learning_rate(r, t->at.epoch),
        .kl_weight = elbo_kl_weight(r, t->at.step - 1, steps_per_epoch(t)),
    };
    elbo_eval_options o = {.seed = r->train.seed};
    if (t->data->test.count) elbo_evaluator_run(&t->evaluator, &line.test, &t->data->test, &o);
    elbo_scores_set_objective(&line.test, r, line.kl_weight, t->values);
    if (!isfinite(line.test.loss) || !isfinite(line.test.mse) || !isfinite(line.train.mse)) {
        ELBO_TRY(check_weights(t, err));
        return elbo_fail(err, ELBO_DIVERGED, "step %llu (epoch %d): the loss of the `test` images is not finite; %s",
                         (unsigned long long)t->at.step, t->at.epoch + 1, advice);
    }
    ELBO_TRY(elbo_log_add(&t->log, &line, err));
    t->at = (elbo_position){.epoch = t->at.epoch + 1,
                            .step = t->at.step,
                            .seconds = t->at.seconds,
                            .images = t->at.images,
                            .data = t->at.data};
    *stop |= report(t, elbo_now(), &t->log.epoch[t->log.count - 1]); // the last step's report may have said so already
    bool due = elbo_now() - t->last_save > SHARE_OF_SAVING * t->save_seconds;
    return due || *stop || t->at.epoch == r->train.epochs ? save(t, err) : check_weights(t, err);
}

static elbo_status run_epoch(trainer *t, elbo_error *err, bool *stop) {
    elbo_stream stream = {.seed = t->recipe->train.seed, .purpose = ELBO_FOR_SHUFFLE, .epoch = (uint32_t)t->at.epoch};
    elbo_random_permutation(stream, t->order, t->data->train.count);
    t->started = t->last_report = elbo_now();
    t->done_before = t->at.images_done;
    double earlier_seconds = t->at.seconds, earlier_epoch = t->at.epoch_seconds;
    while (t->at.images_done < t->data->train.count && !*stop) {
        ELBO_TRY(run_step(t, err));
        double time = elbo_now();
        t->at.epoch_seconds = earlier_epoch + time - t->started;
        t->at.seconds = earlier_seconds + time - t->started;
        if (time - t->last_report > 0.1) *stop = report(t, time, NULL);
        if (time - t->last_save > SECONDS_BETWEEN_SAVES && t->at.images_done < t->data->train.count)
            ELBO_TRY(save(t, err));
    }
    if (t->at.images_done == t->data->train.count) return finish_epoch(t, err, stop);
    ELBO_TRY(save(t, err)); // stopped in the middle
    return ELBO_OK;
}

/* ---- the run ---- */

static elbo_status write_recipe(const trainer *t, elbo_error *err) {
    char *text = elbo_recipe_text(t->recipe), *path = elbo_path_join(t->options.run, "recipe.yaml");
    elbo_status status = text && path ? elbo_file_write(path, text, strlen(text), err) : elbo_no_memory(err);
    free(text);
    free(path);
    return status;
}

/* From the first moment the folder holds a whole run: the seed's weights, an empty log, and the recipe, without which
 * it is none, last. A run that is killed before its first checkpoint begins again: the seed leads to the same bits. */
static elbo_status begin(trainer *t, elbo_error *err) {
    ELBO_TRY(elbo_log_save(t->options.run, &t->log, err));
    ELBO_TRY(elbo_model_save(t->options.run, &t->network, t->recipe->name, t->options.data_path, err));
    return write_recipe(t, err);
}

static elbo_status go_on(trainer *t, elbo_error *err) {
    const char *run = t->options.run;
    char *path = elbo_path_join(run, "checkpoint.safetensors");
    if (!path) return elbo_no_memory(err);
    bool there = elbo_file_exists(path);
    free(path);
    if (!there) return begin(t, err);
    uint32_t images = t->data->train.count;
    uint64_t data = t->at.data;
    ELBO_TRY(elbo_checkpoint_load(run, &t->network, &t->metrics, t->m, t->v, &t->at, err));
    ELBO_TRY(elbo_log_load(run, t->recipe, t->data->train.shape, &t->log, err));
    if (t->at.images != images)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s: was trained on %u images, %s (%s) has %u; a run goes on with the data it "
                         "began with",
                         run, t->at.images, t->data->name, t->data->source, images);
    if (t->at.data != data)
        return elbo_fail(
            err, ELBO_BAD_INPUT,
            "%s: was trained on other images than those that %s (%s) has now, though as many; a run goes on "
            "with the data it began with",
            run, t->data->name, t->data->source);
    if (t->log.count < t->at.epoch || t->at.images_done > images)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: its log.jsonl does not fit its checkpoint: %d epochs of %d", run,
                         t->log.count, t->at.epoch);
    t->log.count = t->at.epoch; // a line that was written just before the run was killed
    int wanted = t->recipe->train.epochs, begun = t->at.epoch + (t->at.images_done > 0);
    if (begun > wanted)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: is in epoch %d already; train.epochs=%d would end before that", run,
                         begun, wanted);
    t->was_finished = t->at.epoch == wanted;
    return t->was_finished ? ELBO_OK : write_recipe(t, err); // its number of epochs may be new
}

static elbo_status prepare(trainer *t, elbo_error *err) {
    const elbo_recipe *r = t->recipe;
    const char *device_name = t->options.device ? t->options.device : "cpu";
    const elbo_device *device = elbo_device_find(device_name);
    if (!device) return elbo_fail(err, ELBO_BAD_INPUT, "device `%s`: there are cpu and ref", device_name);
    if (t->data->train.count == 0)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: has no images to train on", t->data->name);
    ELBO_TRY(elbo_network_make(&t->network, r, t->data->train.shape, err));
    ELBO_TRY(elbo_features_open(&t->features, r, t->data->train.shape, err));
    size_t floats = t->network.graph.param_floats;
    t->m = elbo_alloc(floats, sizeof(float));
    t->v = elbo_alloc(floats, sizeof(float));
    t->order = elbo_alloc(t->data->train.count, sizeof *t->order);
    if (!t->m || !t->v || !t->order)
        return elbo_no_room(err, 2.0 * (double)floats * sizeof(float), "the optimiser's means",
                            "fewer channels or features need less");
    ELBO_TRY(elbo_team_make(&t->team, t->options.threads, err));
    elbo_plan_options options = {.mode = ELBO_TRAIN,
                                 .batch = r->train.batch,
                                 .team = t->team,
                                 .reconstruction = r->loss.reconstruction,
                                 .optimizer = r->train.optimizer,
                                 .clip = r->train.clip,
                                 .features = t->features};
    ELBO_TRY(elbo_plan_make(&t->plan, &t->network.graph, device, options, err));
    ELBO_TRY(elbo_evaluator_make(&t->evaluator, &t->network, r, device, t->team, t->features, err));
    t->metrics = t->log.metrics = elbo_metrics_of(r);
    t->values = elbo_image_size(t->data->train.shape);
    t->at.images = t->data->train.count;
    t->at.data = elbo_images_fingerprint(&t->data->train);
    if (!t->options.run) return ELBO_OK;
    ELBO_TRY(elbo_run_folder_open(&t->lock, t->options.run, t->options.resume, err));
    return t->options.resume ? go_on(t, err) : begin(t, err);
}

static elbo_status run(trainer *t, elbo_error *err) {
    ELBO_TRY(prepare(t, err));
    if (t->was_finished) return ELBO_OK;
    t->last_save = t->started = elbo_now();
    t->done_before = t->at.images_done;
    bool stop = report(t, t->started, NULL);
    while (t->at.epoch < t->recipe->train.epochs && !stop) ELBO_TRY(run_epoch(t, err, &stop));
    bool finished = t->at.epoch >= t->recipe->train.epochs;
    return finished ? ELBO_OK : elbo_fail(err, ELBO_STOPPED, "stopped in epoch %d", t->at.epoch + 1);
}

elbo_status elbo_train(elbo_train_result *result, const elbo_recipe *r, const elbo_dataset *d, elbo_train_options o,
                       elbo_error *err) {
    trainer t = {.recipe = r, .data = d, .options = o, .lock = -1};
    elbo_status status = run(&t, err);
    elbo_run_folder_close(&t.lock);
    *result = (elbo_train_result){.epochs = t.at.epoch, .seconds = t.at.seconds, .was_finished = t.was_finished};
    if (t.log.count) result->last = t.log.epoch[t.log.count - 1];
    if (t.evaluator.index) elbo_evaluator_free(&t.evaluator);
    elbo_plan_free(&t.plan);
    elbo_team_free(t.team);
    elbo_network_free(&t.network);
    elbo_features_free(t.features);
    elbo_log_free(&t.log);
    free(t.m);
    free(t.v);
    free(t.order);
    return status;
}
