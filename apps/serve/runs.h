/* The runs that are served: opened when they are first asked for, and anew when their files change. The worker thread's,
 * but for what says otherwise. */
#ifndef SERVE_RUNS_H
#define SERVE_RUNS_H

#include <sys/stat.h>

#include "data/data.h"
#include "explore/image_index.h"
#include "explore/latent_map.h"
#include "explore/points.h"
#include "run/model.h"
#include "run/run_folder.h"
#include "server.h"

enum { SERVE_RUNS = 64, SERVE_EPOCHS = 4 };

/* Codes of all images. They are never written, and freed by the last who holds them: from any thread. */
struct serve_points {
    atomic_int holders;
    elbo_points of;
};
serve_points *serve_points_new(const elbo_points *of); // takes what is in it; NULL: no memory
serve_points *serve_points_hold(serve_points *p);
void serve_points_release(serve_points *p); // NULL is fine

/* A data set, which several runs may have in common. It stays open until the server ends. */
typedef struct serve_data {
    char *key; // what opens the same
    elbo_dataset set;
    uint64_t fingerprint;
    _Atomic(elbo_image_index *) index; // of the training images; made by an errand when it is first asked for
    struct serve_data *next;
} serve_data;

/* Earlier weights of a run. */
typedef struct serve_epoch {
    int number;
    elbo_model *model; // as serve_run.one
} serve_epoch;

/* When a file was written; zero where there is none. */
typedef struct serve_stamp {
    struct timespec time;
    off_t size;
    ino_t inode;
} serve_stamp;

struct serve_run {
    char id[SERVE_NAME]; // in paths
    char *folder, *name;
    bool there; // in the folder when it was last looked at
    /* What is opened; NULL and empty before. */
    elbo_model *model; // many images at once, on all cores
    elbo_model *one;   // image after image, on one thread: what it gives does not depend on how many there are
    elbo_log log;
    serve_data *data;
    serve_points *points;
    elbo_latent_map map[3];          // by method; n = 0: none. That of dimensions is of those last asked for
    double trust[3];                 // of a map; NaN: not measured
    serve_epoch epoch[SERVE_EPOCHS]; // the last opened first
    bool loading;                    // its points, by an errand;
    serve_call *waiting;             // calls that are parked until they are there
    elbo_latent_map epoch_map;       // of the epoch asked for last
    int epoch_of_map;
    elbo_latent_map growing; // the t-SNE as it was when it was grown_by done
    double grown_by;
    struct serve_tsne *tsne;            // that is computed, or NULL
    double nearest_usual, nearest_rare; // of reconstructed test images, to their nearest training image; NaN: not known
    serve_stamp model_stamp, log_stamp;
    bool training;
    json_t *doctor; // what `elbo doctor` says; NULL before
};

typedef struct serve_runs {
    const serve_options *options;
    serve_run *run[SERVE_RUNS];
    int count;
    serve_data *data;
} serve_runs;

/* Looks for runs in what the command named; those that are known stay. */
elbo_status serve_runs_find(serve_runs *r, bool *changed, elbo_error *err);
void serve_runs_close(serve_runs *r);
/* NULL: there never was one of that id. */
serve_run *serve_runs_get(serve_runs *r, const char *id);

/* Each opens what it is about where that is not open yet. */
elbo_status serve_run_open(serve_run *run, const serve_options *o, elbo_error *err);
elbo_status serve_run_open_data(serve_runs *r, serve_run *run, elbo_error *err);
/* Points that were kept, or are few, at once; ELBO_NOT_FOUND: they are to be encoded. */
elbo_status serve_run_find_points(serve_runs *r, serve_run *run, elbo_error *err);
/* Closes what its files no longer say. `*epochs`: log lines that it had before. True: something is new. */
bool serve_run_refresh(serve_run *run, const serve_options *o, int *epochs);

#endif
