/* The training loop. Nothing in it allocates: plans, state and the permutation are made before the first step. */
#include "train/trainer.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "nn/ops/op.h"
#include "train/evaluate.h"
#include "train/keep.h"
#include "run/history.h"
#include "run/model.h"
#include "run/run_folder.h"
#include "nn/vgg16.h"

enum { MOST_STEPS = 64 }; // in one run of a device

typedef struct trainer {
    elbo_recipe own; // the caller's, with what the data say
    const elbo_recipe *recipe;
    const elbo_dataset *data; // `seen`
    elbo_dataset seen;        // the caller's, normalised as the recipe says
    elbo_train_options options;
    elbo_network network;
    elbo_network *features; // of the perceptual term, or NULL
    elbo_state state;
    elbo_team *team;
    elbo_plan plan[ELBO_PLAYERS];
    int players;
    elbo_evaluator evaluator;
    size_t values;   // of an image
    uint32_t *order; // (held.train_count): this epoch's permutation
    elbo_holdout held;
    elbo_position at;
    elbo_kept kept;
    elbo_log log;
    double last_save, save_seconds; // when the last one ended, and how long it took
    double started, last_report;    // clock of this process's part of the epoch
    uint32_t done_before;           // images of the epoch that an earlier process had done
    int lock;                       // of the run folder, or -1
    bool was_finished;
} trainer;

/* ---- one step ---- */

static elbo_update update_at(const elbo_recipe *r, double lr, const float *betas, uint64_t step) { // step from 1
    double b1 = betas[0], b2 = betas[1];
    return (elbo_update){.lr = (float)lr,
                         .momentum = r->train.momentum,
                         .weight_decay = r->train.weight_decay,
                         .beta1 = betas[0],
                         .beta2 = betas[1],
                         .eps = r->train.eps,
                         .correction1 = (float)(1 - pow(b1, (double)step)),
                         .correction2 = (float)sqrt(1 - pow(b2, (double)step)),
                         .gradient_scale = 1,
                         .first = step == 1};
}

static uint64_t steps_per_epoch(const trainer *t) {
    uint32_t batch = (uint32_t)t->recipe->train.batch;
    return (t->held.train_count + batch - 1) / batch;
}

elbo_batch_args elbo_training_args(const elbo_recipe *r, const elbo_graph *g, const elbo_images *images,
                                   const uint32_t *index, int count, int epoch, uint64_t step,
                                   uint64_t steps_an_epoch) {
    double values = r->loss.scale == ELBO_MEAN ? (double)elbo_image_size(images->shape) : 1;
    elbo_batch_args args = {
        .images = images,
        .index = index,
        .count = count,
        .low = r->image.low,
        .high = r->image.high,
        .augment = r->augments,
        .binary = r->image.binary != ELBO_BINARY_NONE,
        .binary_seed = r->train.seed,
        .binary_draw = r->image.binary == ELBO_BINARY_DYNAMIC ? (uint32_t)epoch + 1 : 0,
        .corrupt = r->corrupts,
        .noise = {.seed = r->train.seed, .purpose = ELBO_FOR_NOISE, .epoch = (uint32_t)epoch},
        .loss_scale = (float)(1 / ((double)count * values)),
        .update = update_at(r, elbo_learning_rate(r, epoch), r->train.betas, step),
    };
    for (int k = 0; k < g->metrics.count; k++)
        args.loss_weight[k] =
            (float)elbo_metric_weight(&g->metrics.metric[k], elbo_kl_weight(r, step - 1, steps_an_epoch));
    elbo_loss_bounds(r, g, (double)(step - 1) / (double)steps_an_epoch, args.loss_bound);
    return args;
}

elbo_batch_args elbo_adversary_args(const elbo_recipe *r, const elbo_batch_args *model, int epoch, uint64_t step) {
    elbo_batch_args args = *model;
    double lr = elbo_learning_rate(r, epoch) / (double)r->train.lr * (double)r->adversary.lr;
    args.loss_scale = (float)(1 / (double)args.count); // a mean over the batch, whatever loss.scale is
    args.update = update_at(r, lr, r->adversary.betas, step);
    return args;
}

static const char advice[] = "try a smaller train.lr, or train.clip=1";

/* After a step: fails with the first of the weights, or of what the optimiser keeps of them, that is not finite. */
static elbo_status check_weights(const trainer *t, elbo_error *err) {
    const elbo_graph *g = &t->network.graph;
    const elbo_optimizer_rule *rule = t->state.optimizer;
    for (int b = 0; b <= rule->arrays; b++) {
        const float *block = b ? t->state.array[b - 1] : t->network.params;
        for (int i = 0; i < g->params; i++)
            for (size_t k = 0; k < g->param[i].count; k++)
                if (!isfinite(block[g->param[i].offset + k]))
                    return elbo_fail(err, ELBO_DIVERGED, "step %llu (epoch %d): %s `%s` are no longer finite; %s",
                                     (unsigned long long)t->at.step, t->at.epoch + (t->at.images_done > 0),
                                     b ? rule->array[b - 1].what : "weights", g->param[i].name, advice);
    }
    return ELBO_OK;
}

/* A NaN or infinity stops the run. What to say: which step, which tensor, and what usually helps. */
static elbo_status report_divergence(trainer *t, elbo_plan *plan, const elbo_batch_args *args, bool too_long,
                                     elbo_error *err) {
    ELBO_TRY(elbo_state_get(&t->state, err));
    ELBO_TRY(check_weights(t, err));
    const char *what = "sum";
    const elbo_node *n = t->state.device->find_nonfinite(plan, args, &what);
    if (!n && too_long)
        return elbo_fail(err, ELBO_DIVERGED,
                         "step %llu (epoch %d): the gradient's norm is above 1.8e19, more than train.clip can measure; "
                         "try a smaller train.lr, or a smaller image.range",
                         (unsigned long long)t->at.step + 1, t->at.epoch + 1);
    return elbo_fail(err, ELBO_DIVERGED, "step %llu (epoch %d): `%s` (%s, %s) gives values that are not finite; %s",
                     (unsigned long long)t->at.step + 1, t->at.epoch + 1, n ? n->name : "loss",
                     n ? n->op->name : "loss", what, advice);
}

/* The adversary's part of a step, on the batch of the model's. */
static elbo_status run_adversary(trainer *t, const elbo_batch_args *model, elbo_error *err) {
    elbo_plan *plan = &t->plan[ELBO_PLAYER_ADVERSARY];
    elbo_batch_args args = elbo_adversary_args(t->recipe, model, t->at.epoch, t->at.step + 1);
    elbo_run_report report;
    memset(plan->total, 0, sizeof plan->total);
    ELBO_TRY(elbo_plan_run(plan, &args, 1, err));
    ELBO_TRY(elbo_plan_wait(plan, &report, err));
    elbo_metric_sums_add(&t->at.sums, &t->network.graph.metrics, plan->total);
    return report.diverged ? report_divergence(t, plan, &args, report.too_long, err) : ELBO_OK;
}

/* A run of the device: as many steps as it wants at once, or as are left of the epoch. */
static elbo_status run_steps(trainer *t, elbo_error *err) {
    elbo_batch_args args[MOST_STEPS];
    uint32_t done = t->at.images_done, batch = (uint32_t)t->recipe->train.batch;
    bool one = t->kept.average || t->players > 1; // each step's weights are averaged, or the adversary's turn
    int steps = 0, at_once = one ? 1 : t->state.device->steps_at_once;
    elbo_plan *plan = &t->plan[ELBO_PLAYER_MODEL];
    while (steps < at_once && steps < MOST_STEPS && done < t->held.train_count) {
        uint32_t left = t->held.train_count - done, count = left < batch ? left : batch;
        args[steps] = elbo_training_args(t->recipe, &t->network.graph, &t->data->train, t->order + done, (int)count,
                                         t->at.epoch, t->at.step + 1 + (uint64_t)steps, steps_per_epoch(t));
        done += count;
        steps++;
    }
    elbo_run_report report;
    memset(plan->total, 0, sizeof plan->total);
    if (t->players > 1) ELBO_TRY(run_adversary(t, &args[0], err));
    ELBO_TRY(elbo_plan_run(plan, args, steps, err));
    ELBO_TRY(elbo_plan_wait(plan, &report, err));
    for (int i = 0; i < report.steps; i++) t->at.images_done += (uint32_t)args[i].count;
    t->at.step += (uint64_t)report.steps;
    elbo_metric_sums_add(&t->at.sums, &t->network.graph.metrics, plan->total);
    if (t->kept.average && report.steps) ELBO_TRY(elbo_kept_average(&t->kept, &t->state, t->recipe, t->at.step, err));
    return report.diverged ? report_divergence(t, plan, &args[report.steps], report.too_long, err) : ELBO_OK;
}

/* ---- telling the caller ---- */

/* The training images' scores of the epoch so far, with the KL's weight in the last step. */
static elbo_scores train_scores(const trainer *t) {
    elbo_scores s = elbo_scores_of(&t->network.graph.metrics, &t->at.sums, t->at.images_done, t->values);
    uint64_t step = t->at.step ? t->at.step - 1 : 0;
    elbo_scores_set_objective(&s, t->recipe, elbo_kl_weight(t->recipe, step, steps_per_epoch(t)), t->values);
    return s;
}

/* Returns true when the caller wants to stop. */
static bool report(trainer *t, double time, const elbo_epoch_log *finished) {
    if (!t->options.progress) return false;
    t->last_report = time;
    uint32_t images = t->held.train_count;
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

static elbo_status save_model(const trainer *t, const char *run, const float *weights, elbo_error *err) {
    const elbo_run_facts facts = {.recipe = t->recipe->name,
                                  .data = (char *)(uintptr_t)t->options.data_path, // only read
                                  .classes = t->data->class_names ? t->data->classes : 0,
                                  .class_names = t->data->class_names,
                                  .epoch = weights == t->kept.best ? t->kept.best_epoch : t->at.epoch};
    return elbo_model_save(run, &t->network, weights, &facts, err);
}

static elbo_status save(trainer *t, elbo_error *err) {
    const char *run = t->options.run;
    ELBO_TRY(elbo_state_get(&t->state, err));
    ELBO_TRY(check_weights(t, err)); // the last step may have broken what the files would hold
    if (!run) return ELBO_OK;
    double start = elbo_now();
    ELBO_TRY(elbo_log_save(run, &t->log, err));
    ELBO_TRY(save_model(t, run, elbo_kept_weights(&t->kept, &t->state), err));
    ELBO_TRY(elbo_checkpoint_save(run, &t->state, &t->at, &t->kept, err)); // last: a resume goes by it
    t->last_save = elbo_now();
    t->save_seconds = t->last_save - start;
    return ELBO_OK;
}

/* The weights as they are evaluated, as a run of their own. The recipe last: without it there is none. */
static elbo_status save_history(const trainer *t, elbo_error *err) {
    const float *weights = t->kept.average ? t->kept.average : t->network.params;
    char *folder = elbo_history_folder(t->options.run, t->at.epoch);
    elbo_status status = folder ? elbo_make_folder(folder, err) : elbo_no_memory(err);
    if (status == ELBO_OK) status = elbo_log_save(folder, &t->log, err);
    if (status == ELBO_OK) status = save_model(t, folder, weights, err);
    if (status == ELBO_OK) status = elbo_run_recipe_save(folder, t->recipe, err);
    free(folder);
    return status;
}

/* After an epoch, and before the first. */
static elbo_status keep_history(trainer *t, elbo_error *err) {
    int most = t->recipe->train.history;
    if (!t->options.run || !elbo_history_keeps(t->at.epoch, most)) return ELBO_OK;
    ELBO_TRY(elbo_state_get(&t->state, err));
    ELBO_TRY(check_weights(t, err));
    ELBO_TRY(save_history(t, err));
    return elbo_history_thin(t->options.run, t->at.epoch, most, err);
}

/* Of the weights that are kept: their average, where there is one. The objective of the test images has the KL's weight
 * at that time, that of the validation images, which epochs are compared by, the full one. */
static elbo_status evaluate_epoch(trainer *t, elbo_epoch_log *line, elbo_error *err) {
    const elbo_recipe *r = t->recipe;
    elbo_eval_options o = {.seed = r->train.seed, .epochs = (double)t->at.step / (double)steps_per_epoch(t)};
    ELBO_TRY(elbo_kept_show_average(&t->kept, &t->state, err));
    if (t->data->test.count) ELBO_TRY(elbo_evaluator_run(&t->evaluator, &line->test, &t->data->test, &o, err));
    elbo_scores_set_objective(&line->test, r, line->kl_weight, t->values);
    o.only = t->held.validation;
    o.only_count = t->held.validation_count;
    if (o.only) ELBO_TRY(elbo_evaluator_run(&t->evaluator, &line->validation, &t->data->train, &o, err));
    bool counts = elbo_kl_is_warm(r, t->at.step - 1, steps_per_epoch(t));
    if (o.only && counts) elbo_kept_compare(&t->kept, &t->state, line->epoch, line->validation.objective);
    line->best = t->kept.best_epoch;
    return elbo_kept_show_average(&t->kept, &t->state, err); // and back
}

/* Between epochs: the validation objective has not fallen for long enough. */
static bool is_patience_over(const trainer *t) {
    int patience = t->recipe->train.patience;
    return patience > 0 && t->kept.best_epoch && t->at.epoch - t->kept.best_epoch >= patience;
}

static elbo_status finish_epoch(trainer *t, elbo_error *err, bool *stop) {
    const elbo_recipe *r = t->recipe;
    double n = t->held.train_count;
    elbo_epoch_log line = {
        .epoch = t->at.epoch + 1,
        .train = train_scores(t),
        .seconds = t->at.epoch_seconds,
        .images_per_second = n / fmax(t->at.epoch_seconds, 1e-9),
        .lr = elbo_learning_rate(r, t->at.epoch),
        .kl_weight = elbo_kl_weight(r, t->at.step - 1, steps_per_epoch(t)),
    };
    ELBO_TRY(evaluate_epoch(t, &line, err));
    bool validated = isfinite(line.validation.loss) && isfinite(line.validation.mse);
    if (!validated || !isfinite(line.test.loss) || !isfinite(line.test.mse) || !isfinite(line.train.mse)) {
        ELBO_TRY(check_weights(t, err));
        return elbo_fail(err, ELBO_DIVERGED, "step %llu (epoch %d): the loss of the `%s` images is not finite; %s",
                         (unsigned long long)t->at.step, t->at.epoch + 1, validated ? "test" : "validation", advice);
    }
    ELBO_TRY(elbo_log_add(&t->log, &line, err));
    t->at = (elbo_position){.epoch = t->at.epoch + 1,
                            .step = t->at.step,
                            .seconds = t->at.seconds,
                            .images = t->at.images,
                            .has_fingerprint = true,
                            .fingerprint = t->at.fingerprint,
                            .fingerprint_1 = t->at.fingerprint_1};
    *stop |= report(t, elbo_now(), &t->log.epoch[t->log.count - 1]); // the last step's report may have said so already
    ELBO_TRY(keep_history(t, err));
    bool due = elbo_now() - t->last_save > SHARE_OF_SAVING * t->save_seconds;
    bool last = t->at.epoch == r->train.epochs || is_patience_over(t);
    if (!due && !*stop && !last) return check_weights(t, err);
    ELBO_TRY(save(t, err));
    if (t->options.run && t->options.saved) t->options.saved(t->options.saved_context);
    return ELBO_OK;
}

static elbo_status run_epoch(trainer *t, elbo_error *err, bool *stop) {
    elbo_stream stream = {.seed = t->recipe->train.seed, .purpose = ELBO_FOR_SHUFFLE, .epoch = (uint32_t)t->at.epoch};
    elbo_holdout_order(&t->held, stream, t->order);
    t->started = t->last_report = elbo_now();
    t->done_before = t->at.images_done;
    double earlier_seconds = t->at.seconds, earlier_epoch = t->at.epoch_seconds;
    while (t->at.images_done < t->held.train_count && !*stop) {
        ELBO_TRY(run_steps(t, err));
        double time = elbo_now();
        t->at.epoch_seconds = earlier_epoch + time - t->started;
        t->at.seconds = earlier_seconds + time - t->started;
        if (time - t->last_report > 0.1) *stop = report(t, time, NULL);
        if (time - t->last_save > SECONDS_BETWEEN_SAVES && t->at.images_done < t->held.train_count)
            ELBO_TRY(save(t, err));
    }
    if (t->at.images_done == t->held.train_count) return finish_epoch(t, err, stop);
    ELBO_TRY(save(t, err)); // stopped in the middle
    return ELBO_OK;
}

/* ---- the run ---- */

/* From the first moment the folder holds a whole run: the seed's weights, an empty log, and the recipe, without which
 * it is none, last. A run that is killed before its first checkpoint begins again: the seed leads to the same bits. */
static elbo_status begin(trainer *t, elbo_error *err) {
    ELBO_TRY(elbo_log_save(t->options.run, &t->log, err));
    ELBO_TRY(save_model(t, t->options.run, t->network.params, err));
    ELBO_TRY(elbo_run_recipe_save(t->options.run, t->recipe, err));
    return keep_history(t, err);
}

/* Without a checkpoint the seed leads to the same bits, but not to weights that were brought from elsewhere. */
static elbo_status begin_again(trainer *t, elbo_error *err) {
    const char *run = t->options.run;
    elbo_run_facts facts;
    char *model = elbo_path_join(run, "model.safetensors");
    if (!model) return elbo_no_memory(err);
    bool there;
    elbo_status status = elbo_file_look(model, &there, err);
    free(model);
    ELBO_TRY(status);
    if (!there) return begin(t, err);
    ELBO_TRY(elbo_run_facts_load(run, &facts, err));
    bool imported = facts.imported;
    elbo_run_facts_free(&facts);
    if (!imported) return begin(t, err);
    return elbo_fail(
        err, ELBO_BAD_INPUT,
        "%s: was imported, and has no checkpoint to resume from; leave --resume out and name another folder "
        "(-o) to train from the seed",
        run);
}

static elbo_status go_on(trainer *t, elbo_error *err) {
    const char *run = t->options.run;
    char *path = elbo_path_join(run, "checkpoint.safetensors");
    if (!path) return elbo_no_memory(err);
    bool there;
    elbo_status status = elbo_file_look(path, &there, err);
    free(path);
    ELBO_TRY(status);
    if (!there) return begin_again(t, err);
    uint32_t images = t->data->train.count;
    const elbo_position ours = t->at;
    ELBO_TRY(elbo_checkpoint_load(run, &t->state, &t->at, &t->kept, err));
    ELBO_TRY(elbo_log_load(run, t->recipe, t->data->train.shape, &t->log, err));
    if (t->at.images != images)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s: was trained on %u images, %s (%s) has %u; a run continues on the data it "
                         "began with",
                         run, t->at.images, t->data->name, t->data->source, images);
    if (t->at.has_fingerprint ? t->at.fingerprint != ours.fingerprint : t->at.fingerprint_1 != ours.fingerprint_1)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s: was trained on other images than those of %s (%s) now, though as many; a run continues "
                         "on the data it began with",
                         run, t->data->name, t->data->source);
    t->at.fingerprint = ours.fingerprint; // which the next checkpoint has in any case
    if (t->log.count < t->at.epoch || t->at.images_done > t->held.train_count || t->kept.best_epoch > t->at.epoch)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: its log.jsonl does not match its checkpoint: %d epochs of %d", run,
                         t->log.count, t->at.epoch);
    t->log.count = t->at.epoch; // a line that was written just before the run was killed
    int wanted = t->recipe->train.epochs, begun = t->at.epoch + (t->at.images_done > 0);
    if (begun > wanted)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: is in epoch %d already; train.epochs=%d would end before that", run,
                         begun, wanted);
    t->was_finished = t->at.epoch == wanted || (t->at.images_done == 0 && is_patience_over(t));
    return t->was_finished ? ELBO_OK : elbo_run_recipe_save(run, t->recipe, err); // its number of epochs may be new
}

/* The data with their contrast as the recipe normalises it. */
static elbo_status see_data(trainer *t, elbo_error *err) {
    ELBO_TRY(elbo_recipe_take_contrast(&t->own, t->data, err));
    t->seen = *t->data;
    t->seen.train.contrast = t->seen.test.contrast = t->own.image.contrast;
    t->data = &t->seen;
    return ELBO_OK;
}

static elbo_status prepare(trainer *t, elbo_error *err) {
    const elbo_recipe *r = t->recipe;
    const elbo_device *device;
    ELBO_TRY(elbo_recipe_take_classes(&t->own, t->data, err));
    ELBO_TRY(see_data(t, err));
    ELBO_TRY(elbo_device_find(&device, t->options.device, err));
    if (t->data->train.count == 0)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: has no images to train on", t->data->name);
    ELBO_TRY(elbo_images_check_range(&t->data->train, r, t->data->source, err));
    ELBO_TRY(elbo_images_check_range(&t->data->test, r, t->data->source, err));
    ELBO_TRY(elbo_network_make(&t->network, r, t->data->train.shape, err));
    ELBO_TRY(elbo_features_open(&t->features, r, t->data->train.shape, err));
    ELBO_TRY(elbo_holdout_make(&t->held, r, t->data->train.count, t->data->source, err));
    t->order = elbo_alloc(t->held.train_count, sizeof *t->order);
    if (!t->order) return elbo_no_memory(err);
    ELBO_TRY(elbo_team_make(&t->team, t->options.threads, err));
    ELBO_TRY(elbo_state_open(&t->state, device, &t->network, t->team, elbo_optimizer_rule_of(r->train.optimizer), err));
    ELBO_TRY(elbo_kept_make(&t->kept, &t->network, r, err));
    elbo_plan_options options = {.mode = ELBO_TRAIN,
                                 .batch = r->train.batch,
                                 .samples = r->loss.samples,
                                 .clip = r->train.clip,
                                 .features = t->features};
    t->players = elbo_recipe_players(r);
    for (int i = 0; i < t->players; i++) {
        options.player = (elbo_player)i;
        ELBO_TRY(elbo_plan_make(&t->plan[i], &t->state, &options, err));
    }
    ELBO_TRY(elbo_evaluator_make(&t->evaluator, &t->state, r, t->features, err));
    t->log.metrics = t->network.graph.metrics;
    t->values = elbo_image_size(t->data->train.shape);
    t->at.images = t->data->train.count;
    t->at.fingerprint = elbo_images_fingerprint(&t->data->train);
    t->at.fingerprint_1 = elbo_images_fingerprint_1(&t->data->train);
    if (!t->options.run) return ELBO_OK;
    ELBO_TRY(elbo_run_folder_open(&t->lock, t->options.run, t->options.resume, t->options.replace, err));
    if (!t->options.resume) return begin(t, err);
    ELBO_TRY(go_on(t, err));
    return elbo_state_put(&t->state, err);
}

static elbo_status run(trainer *t, elbo_error *err) {
    ELBO_TRY(prepare(t, err));
    if (t->was_finished) return ELBO_OK;
    t->last_save = t->started = elbo_now();
    t->done_before = t->at.images_done;
    bool stop = report(t, t->started, NULL);
    int epochs = t->recipe->train.epochs;
    while (t->at.epoch < epochs && !stop && !is_patience_over(t)) ELBO_TRY(run_epoch(t, err, &stop));
    bool finished = t->at.epoch >= epochs || (t->at.images_done == 0 && is_patience_over(t));
    return finished ? ELBO_OK : elbo_fail(err, ELBO_STOPPED, "stopped in epoch %d", t->at.epoch + 1);
}

elbo_status elbo_train(elbo_train_result *result, const elbo_recipe *r, const elbo_dataset *d, elbo_train_options o,
                       elbo_error *err) {
    trainer t = {.own = *r, .data = d, .options = o, .lock = -1};
    t.recipe = &t.own; // (the memory behind it stays the caller's)
    elbo_status status = run(&t, err);
    elbo_run_folder_close(&t.lock);
    *result = (elbo_train_result){.epochs = t.at.epoch, .seconds = t.at.seconds, .was_finished = t.was_finished};
    if (t.log.count) {
        result->last = t.log.epoch[t.log.count - 1];
        result->kept = *elbo_log_kept(&t.log, r);
        result->stopped_early = elbo_log_stopped_early(&t.log, r);
    }
    if (t.evaluator.index) elbo_evaluator_free(&t.evaluator);
    for (int i = 0; i < ELBO_PLAYERS; i++) elbo_plan_free(&t.plan[i]);
    elbo_state_close(&t.state);
    elbo_team_free(t.team);
    elbo_network_free(&t.network);
    elbo_features_free(t.features);
    elbo_log_free(&t.log);
    elbo_kept_free(&t.kept);
    elbo_holdout_free(&t.held);
    free(t.order);
    return status;
}
