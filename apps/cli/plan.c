/* elbo plan: what will run, step by step. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "nn/vgg16.h"
#include "train/trainer.h"

static const struct {
    const char *name;
    elbo_mode mode;
} modes[] = {{"train", ELBO_TRAIN}, {"eval", ELBO_EVAL}, {"encode", ELBO_ENCODE}, {"decode", ELBO_DECODE}};

static int find_mode(const char *name, elbo_mode *mode) {
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (!strcmp(modes[i].name, name)) {
            *mode = modes[i].mode;
            return CLI_OK;
        }
    cli_fail_text("--mode %s: expected train, eval, encode or decode", name);
    return CLI_USAGE;
}

static void print_table(const elbo_plan *p, const elbo_recipe *r) {
    char weights[32], bytes[32];
    elbo_program_info program;
    p->state->device->program_info(p, &program);
    bool adversary = p->options.player == ELBO_PLAYER_ADVERSARY, launches = program.launches > 0;
    if (adversary)
        printf("\nThe adversary's step, before it; a batch of %d in %d shards of %d rows, 2 an image\n\n",
               p->options.batch, program.shards, program.shard_rows);
    else
        printf("%s, %s parameters; a batch of %d in ", r->name, elbo_thousands((double)p->graph->weights, weights),
               p->options.batch);
    if (!adversary && launches)
        printf("%d launches\n\n", program.launches);
    else if (!adversary)
        printf("%d shards of %d %s\n\n", program.shards, program.shard_rows,
               elbo_plan_samples(p) > 1 ? "samples" : "images");
    printf("%-6s %-14s %-16s %-28s %12s  %-8s %10s  %s\n", launches ? "launch" : "phase", "node", "step", "layer",
           "output", launches ? "blocks" : "pieces", "MFLOP", "kernel");
    double total = 0;
    elbo_step_info s;
    for (int i = 0; p->state->device->step_info(p, i, &s); i++) {
        char pieces[24], shape[40];
        if (program.launches)
            snprintf(pieces, sizeof pieces, "%d", s.tiles);
        else
            snprintf(pieces, sizeof pieces, s.tiles == 1 ? "%d tile" : s.tiles ? "%d tiles" : "by shard", s.tiles);
        double mflop = s.flop_per_image * p->options.batch * 1e-6;
        total += mflop;
        printf("%-6d %-14s %-16s %-28.28s %12s  %-8s %10.1f  %s\n", s.phase, s.node->name, s.what, s.node->text,
               elbo_shape_text(s.node->shape, shape), pieces, mflop, s.kernel);
    }
    printf("\n%.1f MFLOP a batch, %.3f MFLOP an image\n", total, total / p->options.batch);
    printf("activations and gradients: %s bytes", elbo_thousands(4.0 * (double)program.activation_floats, bytes));
    printf(" (%s without sharing memory)\n", elbo_thousands(4.0 * (double)program.unshared_floats, bytes));
    if (program.work_floats)
        printf("packed weights and partial gradients of the shards: %s bytes\n",
               elbo_thousands(4.0 * (double)program.work_floats, bytes));
    if (adversary) return; // parameters are of both
    const elbo_optimizer_rule *optimizer = p->state->optimizer;
    int copies = 1 + (optimizer ? optimizer->arrays : 0);
    printf("parameters%s: %s bytes\n", copies > 1 ? " and optimizer state" : "",
           elbo_thousands(4.0 * copies * (double)p->graph->param_floats, bytes));
}

static json_t *plan_json(const elbo_plan *p, const elbo_recipe *r) {
    json_t *steps = json_array();
    elbo_program_info program;
    p->state->device->program_info(p, &program);
    elbo_step_info s;
    for (int i = 0; p->state->device->step_info(p, i, &s); i++) {
        char shape[40];
        json_array_append_new(steps, json_pack("{s:i, s:s, s:s, s:s, s:s, s:i, s:f, s:s}", "phase", s.phase, "node",
                                               s.node->name, "step", s.what, "layer", s.node->text, "output",
                                               elbo_shape_text(s.node->shape, shape), "tiles", s.tiles, "flop",
                                               s.flop_per_image * p->options.batch, "kernel", s.kernel));
    }
    return json_pack("{s:s, s:s, s:i, s:i, s:i, s:I, s:I, s:I, s:o}", "recipe", r->name, "player",
                     p->options.player == ELBO_PLAYER_ADVERSARY ? "adversary" : "model", "batch", p->options.batch,
                     "shards", program.shards, "launches", program.launches, "parameters",
                     (json_int_t)p->graph->weights, "parameter_bytes", (json_int_t)(4 * p->graph->param_floats),
                     "activation_bytes", (json_int_t)(4 * program.activation_floats), "steps", steps);
}

/* Lowers the recipe's plan and shows it. Weights that a perceptual loss looks with are read, so that its steps are
 * there. */
static elbo_status show(const elbo_recipe *r, elbo_image_shape shape, elbo_mode mode, const char *device_name,
                        bool json, elbo_error *err) {
    const elbo_device *device;
    elbo_network network = {0}, *features = NULL;
    elbo_team *team = NULL;
    elbo_state state = {0};
    elbo_plan plan[ELBO_PLAYERS] = {0};
    json_t *shown = NULL;
    int players = mode == ELBO_TRAIN || mode == ELBO_EVAL ? elbo_recipe_players(r) : 1;
    elbo_status status = elbo_device_find(&device, device_name, err);
    if (status == ELBO_OK) status = elbo_network_make(&network, r, shape, err);
    if (status == ELBO_OK) status = elbo_features_open(&features, r, shape, err);
    if (status == ELBO_OK) status = elbo_team_make(&team, 1, err);
    const elbo_optimizer_rule *rule = mode == ELBO_TRAIN ? elbo_optimizer_rule_of(r->train.optimizer) : NULL;
    if (status == ELBO_OK) elbo_state_describe(&state, device, &network, team, rule);
    elbo_plan_options o = {
        .mode = mode, .batch = r->train.batch, .samples = r->loss.samples, .clip = r->train.clip, .features = features};
    for (int i = 0; i < players && status == ELBO_OK; i++) {
        o.player = (elbo_player)i;
        status = elbo_plan_make(&plan[i], &state, &o, err);
    }
    for (int i = 0; i < players && status == ELBO_OK; i++) {
        if (!json)
            print_table(&plan[i], r);
        else if (i == 0)
            shown = plan_json(&plan[i], r);
        else
            json_object_set_new(shown, "adversary", plan_json(&plan[i], r));
    }
    if (shown) cli_print_json(shown);
    for (int i = 0; i < players; i++) elbo_plan_free(&plan[i]);
    elbo_state_close(&state);
    elbo_team_free(team);
    elbo_features_free(features);
    elbo_network_free(&network);
    return status;
}

static int run(const cli_command *self, int argc, char **argv) {
    const char *data = NULL, *device = NULL, *mode_name = "train";
    cli_texts sets = {0};
    bool json = false;
    cli_option options[] = {
        {"set", 0, CLI_TEXTS, &sets, "KEY=VALUE", "overrides a key of the recipe; repeatable", 0, 0},
        {"mode", 'm', CLI_TEXT, &mode_name, "MODE", "train (default), eval, encode or decode", 0, 0},
        {"data", 'd', CLI_TEXT, &data, "PATH", "data set that gives the image shape", 0, 0},
        CLI_DEVICE_OPTION(device),
        {"json", 0, CLI_FLAG, &json, NULL, "prints one JSON object", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, 1);
    if (CLI_DONE(words)) return CLI_CODE(words);
    elbo_mode mode;
    int code = find_mode(mode_name, &mode);
    if (code != CLI_OK) return code;
    elbo_error err;
    elbo_recipe r;
    elbo_image_shape shape;
    if (elbo_recipe_open(&r, argv[0], sets.text, sets.count, &err) != ELBO_OK) return cli_fail(&err);
    elbo_status status = elbo_recipe_check_schedules(&r, &err);
    if (status == ELBO_OK) status = cli_image_shape(&shape, &r, data, &err);
    if (status == ELBO_OK) status = show(&r, shape, mode, device, json, &err);
    elbo_recipe_close(&r);
    return status == ELBO_OK ? CLI_OK : cli_fail(&err);
}

const cli_command cli_plan = {
    .name = "plan",
    .arguments = "RECIPE",
    .summary = "prints the steps of a recipe: shapes, kernels, FLOP, memory",
    .details =
        "Threads synchronise between phases only. A step runs by shard (a fixed part of the batch, on one core through\n"
        "the whole phase) or by tile (a fixed part of a weight gradient, over the whole batch).\n"
        "\n"
        "example:\n"
        "  elbo plan mnist-vae --set train.batch=512\n",
    .run = run,
};
