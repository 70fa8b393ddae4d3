#include "words.h"

#include "explore/image_files.h"

elbo_operands cli_operands(cli_runs *r) {
    return (elbo_operands){.model = r->run[0].model,
                           .chooser = elbo_runs_chooser(r->run, r->count)->model,
                           .data = &r->data,
                           .read_image = elbo_image_file_one};
}
