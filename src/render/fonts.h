/* Which characters a figure can show. */
#ifndef ELBO_VIEW_FONTS_H
#define ELBO_VIEW_FONTS_H

#include <stdbool.h>

/* Whether an installed font has the character, by what fontconfig says; true where it cannot be asked. A character that
 * none has is drawn by gnuplot as a box that covers the picture. */
bool elbo_font_has(unsigned character);

#endif
