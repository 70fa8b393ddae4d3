/* The same values under another shape: nothing is computed. */
#include "device/cuda/lower/lower.h"

elbo_status elbo_gpu_lower_reshape(elbo_gpu_program *p, const elbo_work *w, elbo_error *err) {
    elbo_gpu_tensor *from = elbo_gpu_tensor_of(p, w->in[0]);
    if (!from) return elbo_no_memory(err);
    if (w->direction == ELBO_FORWARD) {
        p->of[w->out[0]->index] = from;
        from->kept |= w->out[0]->read;
        from->readers += w->out[0]->readers - 1;
        return ELBO_OK;
    }
    elbo_gpu_tensor **to = &p->of[w->out[0]->index];
    if (!*to) {
        *to = from;
        return ELBO_OK;
    }
    return elbo_gpu_add(p, w->node, *to, from, err); // another consumer has given its share
}
