#ifndef ELBO_CLI_COMMANDS_H
#define ELBO_CLI_COMMANDS_H

#include "cli.h"

extern const cli_command cli_arithmetic;
extern const cli_command cli_bench;
extern const cli_command cli_cluster;
extern const cli_command cli_compare;
extern const cli_command cli_data;
extern const cli_command cli_decode;
extern const cli_command cli_demo;
extern const cli_command cli_denoise;
extern const cli_command cli_doctor;
extern const cli_command cli_encode;
extern const cli_command cli_eval;
extern const cli_command cli_export;
extern const cli_command cli_import;
extern const cli_command cli_interpolate;
extern const cli_command cli_manifold;
extern const cli_command cli_manual;
extern const cli_command cli_outliers;
extern const cli_command cli_pca;
extern const cli_command cli_plan;
extern const cli_command cli_project;
extern const cli_command cli_recipes;
extern const cli_command cli_reconstruct;
extern const cli_command cli_report;
extern const cli_command cli_sample;
extern const cli_command cli_serve;
extern const cli_command cli_sweep;
extern const cli_command cli_train;
extern const cli_command cli_traverse;
extern const cli_command cli_tsne;
extern const cli_command cli_vector;

#endif
