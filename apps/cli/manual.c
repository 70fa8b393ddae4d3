/* elbo manual: man pages and the completion of bash, zsh and fish, from the tables that each command reads its options
 * by. The build calls it. */
#include "manual.h"

#include <stdio.h>
#include <string.h>

#include "commands.h"

#ifndef ELBO_VERSION
#define ELBO_VERSION "unknown"
#endif

typedef void describer(const cli_command *c, const cli_option *options);
static describer *describe; // what is being written

void cli_describe(const cli_command *c, const cli_option *options) {
    if (describe) describe(c, options);
}

static void each_command(describer *with) {
    describe = with;
    for (int i = 0; cli_commands[i]; i++) {
        char word[] = CLI_DESCRIBE, *words[] = {word, NULL};
        cli_commands[i]->run(cli_commands[i], 1, words);
    }
    describe = NULL;
}

/* ---- man pages ---- */

/* A line that begins with a dot or a quote is a request to roff, a minus a hyphen, a backslash an escape. */
static void put_roff(const char *text) {
    bool begins = true;
    for (; *text; text++) {
        if (begins && (*text == '.' || *text == '\'')) fputs("\\&", stdout);
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else
            putchar(*text);
        begins = *text == '\n';
    }
}

static void man_options(const cli_command *c, const cli_option *options) {
    printf(".TH ELBO\\-%s 1 \"\" \"elbo " ELBO_VERSION "\" \"elbo\"\n.SH NAME\nelbo\\-%s \\- ", c->name, c->name);
    put_roff(c->summary);
    printf("\n.SH SYNOPSIS\n.B elbo %s\n", c->name);
    put_roff(c->arguments);
    if (*c->arguments) putchar('\n');
    fputs("[options]\n.SH DESCRIPTION\n.nf\n", stdout);
    put_roff(c->details);
    fputs(".fi\n.SH OPTIONS\n", stdout);
    for (const cli_option *o = options; o->name; o++) {
        if (!o->help) continue;
        fputs(".TP\n.B ", stdout);
        if (o->letter) printf("\\-%c, ", o->letter);
        fputs("\\-\\-", stdout);
        put_roff(o->name);
        if (o->argument) {
            putchar(' ');
            put_roff(o->argument);
        }
        putchar('\n');
        put_roff(*o->help ? o->help : "the device that computes; `elbo COMMAND --help` lists them");
        putchar('\n');
    }
    fputs(".TP\n.B \\-h, \\-\\-help\nshows this\n.SH SEE ALSO\n.BR elbo (1)\n", stdout);
}

static void man_overview(void) {
    fputs(".TH ELBO 1 \"\" \"elbo " ELBO_VERSION "\" \"elbo\"\n.SH NAME\n"
          "elbo \\- trains autoencoders and variational autoencoders and shows what they learned\n"
          ".SH SYNOPSIS\n.B elbo\n.I COMMAND\n[arguments]\n.SH COMMANDS\n",
          stdout);
    for (int i = 0; cli_commands[i]; i++) {
        printf(".TP\n.BR elbo\\-%s (1)\n", cli_commands[i]->name);
        put_roff(cli_commands[i]->summary);
        putchar('\n');
    }
    fputs(".SH ENVIRONMENT\n.TP\n.B ELBO_DATA\na folder that holds data sets by their names, as mnist/\n"
          ".SH FILES\n.TP\n.B ~/.cache/elbo\nwhere `elbo data fetch` puts data sets\n"
          ".SH EXAMPLES\n.nf\nelbo demo\nelbo train mnist\\-vae\nelbo report runs/mnist\\-vae\n.fi\n",
          stdout);
}

static const char *wanted; // the command whose page is written

static void man_wanted(const cli_command *c, const cli_option *options) {
    if (!strcmp(c->name, wanted)) man_options(c, options);
}

/* ---- completion ---- */

static void bash_options(const cli_command *c, const cli_option *options) {
    printf("    %s) words='--help", c->name);
    for (const cli_option *o = options; o->name; o++)
        if (o->help) printf(" --%s", o->name);
    puts("' ;;");
}

static void put_recipes(const char *before) {
    for (const elbo_builtin_recipe *r = elbo_builtin_recipes; r->name; r++) printf("%s%s", before, r->name);
}

static void bash(void) {
    fputs("# Completion of elbo for bash; made by `elbo manual bash`.\n_elbo() {\n"
          "  local word=${COMP_WORDS[COMP_CWORD]} words=\n"
          "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    words='help",
          stdout);
    for (int i = 0; cli_commands[i]; i++) printf(" %s", cli_commands[i]->name);
    fputs("'\n    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n    return\n  fi\n"
          "  if [ \"${word#-}\" = \"$word\" ]; then\n    case ${COMP_WORDS[1]} in\n"
          "    train|recipes|plan|bench|sweep|import) words='",
          stdout);
    put_recipes(" ");
    fputs(
        "' ;;\n    esac\n    COMPREPLY=($(compgen -W \"$words\" -- \"$word\") $(compgen -f -- \"$word\"))\n    return\n  fi\n"
        "  case ${COMP_WORDS[1]} in\n",
        stdout);
    each_command(bash_options);
    fputs("  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}\ncomplete -o filenames -F _elbo elbo\n",
          stdout);
}

/* In single quotes of a shell; zsh's _arguments takes brackets and colons for its own. */
static void put_quoted(const char *text, bool for_zsh) {
    for (; *text; text++) {
        if (*text == '\'')
            fputs(for_zsh ? "'\\''" : "\\'", stdout);
        else if (for_zsh && strchr("[]:", *text))
            printf("\\%c", *text);
        else if (!for_zsh && *text == '\\')
            fputs("\\\\", stdout);
        else
            putchar(*text);
    }
}

static void zsh_options(const cli_command *c, const cli_option *options) {
    printf("    %s) _arguments '(-)--help[shows this]'", c->name);
    for (const cli_option *o = options; o->name; o++) {
        if (!o->help) continue;
        printf(" \\\n      '%s--%s%s[", o->kind == CLI_TEXTS ? "*" : "", o->name, o->argument ? "=" : "");
        put_quoted(o->help, true);
        putchar(']');
        if (o->argument) {
            fputs(":", stdout);
            put_quoted(o->argument, true);
            fputs(o->kind == CLI_OUTPUT || o->kind == CLI_TEXT ? ":_files" : ":", stdout);
        }
        putchar('\'');
    }
    fputs(" \\\n      '*:file:_files' ;;\n", stdout);
}

static void zsh(void) {
    fputs(
        "#compdef elbo\n# Completion of elbo for zsh; made by `elbo manual zsh`.\n_elbo() {\n  if (( CURRENT == 2 )); then\n"
        "    local -a commands=(\n",
        stdout);
    for (int i = 0; cli_commands[i]; i++) {
        printf("      '%s:", cli_commands[i]->name);
        put_quoted(cli_commands[i]->summary, true);
        fputs("'\n", stdout);
    }
    fputs("    )\n    _describe command commands\n    return\n  fi\n  case $words[2] in\n", stdout);
    each_command(zsh_options);
    fputs("  esac\n}\n_elbo \"$@\"\n", stdout);
}

static void fish_options(const cli_command *c, const cli_option *options) {
    for (const cli_option *o = options; o->name; o++) {
        if (!o->help) continue;
        printf("complete -c elbo -n '__fish_seen_subcommand_from %s' -l %s", c->name, o->name);
        if (o->letter) printf(" -s %c", o->letter);
        fputs(o->argument ? " -r -d '" : " -d '", stdout);
        put_quoted(o->help, false);
        fputs("'\n", stdout);
    }
}

static void fish(void) {
    puts("# Completion of elbo for fish; made by `elbo manual fish`.");
    for (int i = 0; cli_commands[i]; i++) {
        printf("complete -c elbo -n __fish_use_subcommand -f -a %s -d '", cli_commands[i]->name);
        put_quoted(cli_commands[i]->summary, false);
        puts("'");
    }
    fputs("complete -c elbo -n '__fish_seen_subcommand_from train recipes plan bench sweep import' -a '", stdout);
    put_recipes(" ");
    puts("'");
    each_command(fish_options);
}

/* ---- the command ---- */

static int run(const cli_command *self, int argc, char **argv) {
    const cli_option options[] = {{0}};
    int words = cli_parse(self, options, argc, argv, 1, 2);
    if (CLI_DONE(words)) return CLI_CODE(words);
    if (!strcmp(argv[0], "bash") && words == 1) {
        bash();
    } else if (!strcmp(argv[0], "zsh") && words == 1) {
        zsh();
    } else if (!strcmp(argv[0], "fish") && words == 1) {
        fish();
    } else if (!strcmp(argv[0], "man") && words == 1) {
        man_overview();
    } else if (!strcmp(argv[0], "man")) {
        for (int i = 0; cli_commands[i]; i++)
            if (!strcmp(cli_commands[i]->name, argv[1])) {
                wanted = argv[1];
                each_command(man_wanted);
                return CLI_OK;
            }
        return cli_fail_text("manual man %s: there is no such command; `elbo help` lists them", argv[1]);
    } else {
        return cli_fail_text("manual %s: expected man, man COMMAND, bash, zsh or fish", argv[0]), CLI_USAGE;
    }
    return CLI_OK;
}

const cli_command cli_manual = {
    .name = "manual",
    .arguments = "man [COMMAND] | bash | zsh | fish",
    .summary = "prints man pages and shell completion",
    .details =
        "They are made of the tables that the commands read their options by; `make install` puts them in place.\n"
        "\n"
        "examples:\n"
        "  elbo manual man train | man -l -\n"
        "  source <(elbo manual bash)\n",
    .run = run,
};
