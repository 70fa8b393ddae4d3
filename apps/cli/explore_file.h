/* The explorer as one HTML file that needs no server: page, weights, codes and images. */
#ifndef ELBO_CLI_EXPLORE_FILE_H
#define ELBO_CLI_EXPLORE_FILE_H

#include "explore/page_data.h"
#include "export/page_network.h"

/* Written whole or not at all. */
elbo_status cli_write_explorer(const char *path, const elbo_page_data *data, const elbo_page_network *network,
                               elbo_error *err);

#endif
