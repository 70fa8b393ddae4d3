#include "progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"

void cli_bar_begin(cli_bar *bar, const elbo_recipe *r, const elbo_dataset *d) {
    bar->terminal = isatty(STDERR_FILENO);
    bar->recipe = r;
    bar->data = d;
}

/* images: that are trained on; the rest of the split is held out. */
static void print_heading(const elbo_recipe *r, const elbo_dataset *d, uint32_t images) {
    char train[32], test[32], held[32];
    fprintf(stderr, "%s on %s (%s), %s + %s images of %dx%dx%d", r->name, d->name, d->source,
            elbo_thousands(images, train), elbo_thousands(d->test.count, test), d->train.shape.channels,
            d->train.shape.height, d->train.shape.width);
    if (images < d->train.count) fprintf(stderr, ", %s for validation", elbo_thousands(d->train.count - images, held));
    fputc('\n', stderr);
    if (elbo_objective_stays_elbo(r)) return;
    char text[ELBO_OBJECTIVE_TEXT];
    elbo_metrics m = elbo_metrics_of(r);
    bool moves = elbo_objective_moves(r);
    fprintf(stderr, "objective: %s%s\n",
            elbo_objective_text(r, &m, moves ? NAN : (double)r->loss.kl, elbo_image_size(d->train.shape), text),
            moves ? ", w by the recipe's schedule" : "");
}

static int terminal_width(void) {
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static int digits(int n) { return n < 10 ? 1 : 1 + digits(n / 10); }

/* "train 118.42  test 115.01 (90.11 + kl 24.90)", or, where what is trained is something else than the loss in nats,
 * "objective: train 94.13  test 92.56 (nats: 90.11 + kl 4.90 = 95.01)". */
static void print_losses(const elbo_recipe *r, const elbo_epoch_log *e) {
    const elbo_scores *last = e->test.images ? &e->test : &e->train;
    char train[ELBO_OBJECTIVE_NUMBER], test[ELBO_OBJECTIVE_NUMBER];
    bool loss = elbo_objective_stays_elbo(r), vae = r->kind == ELBO_VAE;
    fprintf(stderr, "%strain %s", loss ? "" : "objective: ", elbo_objective_number(r, e->train.objective, train));
    if (e->validation.images)
        fprintf(stderr, "  validation %s", elbo_objective_number(r, e->validation.objective, test));
    if (e->test.images) fprintf(stderr, "  test %s", elbo_objective_number(r, e->test.objective, test));
    if (loss && vae) fprintf(stderr, " (%.2f + kl %.2f)", last->reconstruction, last->kl); // within 80 columns
    if (!loss && vae) fprintf(stderr, " (nats: %.2f + kl %.2f = %.2f)", last->reconstruction, last->kl, last->loss);
    if (!loss && !vae) fprintf(stderr, " (nats: %.2f)", last->loss);
}

/* epoch  3/10 [=========>          ] loss 118.42  61,200 images/s  12 s left
 * Where the terminal is narrow the bar goes first, then the words from the right: a line that wraps is not drawn over. */
static void draw(const elbo_recipe *r, const elbo_progress *p) {
    char rate[32], left[32], value[ELBO_OBJECTIVE_NUMBER], tail[160] = " starting", head[40], line[400], bar[48] = "";
    snprintf(head, sizeof head, "epoch %*d/%d ", digits(p->epochs), p->epoch, p->epochs);
    if (p->images_per_second > 0)
        snprintf(tail, sizeof tail, " %s %s  %s images/s  %s left", elbo_objective_stays_elbo(r) ? "loss" : "objective",
                 elbo_objective_number(r, p->objective, value), elbo_thousands(p->images_per_second, rate),
                 cli_duration(p->seconds_left, left));
    int width = terminal_width() - 1, room = width - (int)strlen(head) - (int)strlen(tail) - 2;
    if (room > 40) room = 40;
    if (room >= 5) {
        int filled = (int)((double)room * p->images_done / (p->images ? p->images : 1));
        for (int i = 0; i < room; i++) bar[i + 1] = i < filled ? '=' : i == filled ? '>' : ' ';
        bar[0] = '[';
        bar[room + 1] = ']';
    }
    snprintf(line, sizeof line, "%s%s%s", head, bar, *bar ? tail : tail + 1);
    line[width < (int)sizeof line ? width : (int)sizeof line - 1] = 0;
    cli_draw_line(line);
}

bool cli_bar_update(void *context, const elbo_progress *p) {
    cli_bar *bar = context;
    if (bar->off) return cli_interrupted();
    if (!bar->begun) print_heading(bar->recipe, bar->data, p->images);
    bar->begun = true;
    const elbo_epoch_log *e = p->finished;
    if (e) {
        char seconds[32], rate[32];
        if (bar->terminal) cli_draw_line("");
        fprintf(stderr, "epoch %*d/%d  ", digits(p->epochs), e->epoch, p->epochs);
        print_losses(bar->recipe, e);
        fprintf(stderr, "  %s", cli_duration(e->seconds, seconds));
        if (!e->validation.images) fprintf(stderr, "  %s img/s", elbo_thousands(e->images_per_second, rate));
        fputc('\n', stderr);
    } else if (bar->terminal) {
        draw(bar->recipe, p);
    }
    return cli_interrupted();
}

void cli_bar_end(cli_bar *bar) {
    if (!bar->off && bar->terminal) cli_draw_line("");
}

bool cli_reading_update(void *context, uint64_t done, uint64_t total) {
    cli_reading *r = context;
    double now = elbo_now();
    if (!r->begun) {
        cli_catch_interrupts();
        r->begun = true;
        r->since = now;
    }
    if (r->terminal) {
        char a[32], b[32], left[32], line[200], bar[32] = "";
        double seconds = now - r->since, rest = done ? seconds / (double)done * (double)(total - done) : 0;
        int width = terminal_width() - 1, room = 24,
            filled = total ? (int)((double)room * (double)done / (double)total) : 0;
        for (int i = 0; i < room; i++) bar[i] = i < filled ? '=' : i == filled ? '>' : ' ';
        int n = snprintf(line, sizeof line, "decoding [%s] %s of %s images", bar, elbo_thousands((double)done, a),
                         elbo_thousands((double)total, b));
        if (seconds > 1) snprintf(line + n, sizeof line - (size_t)n, "  %s left", cli_duration(rest, left));
        line[width < (int)sizeof line ? width : (int)sizeof line - 1] = 0;
        cli_draw_line(line);
    }
    return !cli_interrupted();
}

void cli_say_notes(const elbo_dataset *d) {
    for (int i = 0; i < d->notes; i++) fprintf(stderr, "elbo: %s: %s\n", d->name, d->note[i]);
}

void cli_reading_end(cli_reading *r, const elbo_dataset *d) {
    if (r->begun) {
        if (r->terminal) cli_draw_line("");
        cli_release_interrupts();
    }
    if (d && d->prepared_now) cli_say_notes(d);
}
