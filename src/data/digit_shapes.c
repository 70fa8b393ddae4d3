#include "data/digit_shapes.h"

/* clang-format off */
#define START(x, y) {x, y, ELBO_DIGIT_START}
#define CORNER(x, y) {x, y, ELBO_DIGIT_CORNER}
#define VIA(x, y) {x, y, ELBO_DIGIT_SMOOTH}

static const elbo_digit_shape shapes[] = {
    /* 0: from the top leftwards round; the second ends inside, the third is narrow, the fourth starts at the right */
    {0, 0.4f, 9, {START(.36f, .02f), VIA(.13f, .13f), VIA(.0f, .48f), VIA(.11f, .86f), VIA(.33f, 1.f), VIA(.55f, .86f),
                  VIA(.64f, .5f), VIA(.55f, .14f), VIA(.31f, .0f)}},
    {0, 0.25f, 10, {START(.42f, .04f), VIA(.15f, .14f), VIA(.0f, .5f), VIA(.11f, .86f), VIA(.33f, 1.f), VIA(.56f, .84f),
                    VIA(.63f, .48f), VIA(.5f, .13f), VIA(.3f, .04f), VIA(.22f, .16f)}},
    {0, 0.2f, 9, {START(.3f, .0f), VIA(.14f, .17f), VIA(.08f, .5f), VIA(.14f, .85f), VIA(.28f, 1.f), VIA(.42f, .85f),
                  VIA(.48f, .5f), VIA(.42f, .15f), VIA(.27f, .01f)}},
    {0, 0.15f, 9, {START(.56f, .2f), VIA(.36f, .0f), VIA(.1f, .2f), VIA(.0f, .6f), VIA(.18f, .97f), VIA(.45f, .93f),
                   VIA(.62f, .6f), VIA(.58f, .27f), VIA(.44f, .05f)}},
    /* 1: a stem; with a flag; with flag and foot */
    {1, 0.62f, 3, {START(.3f, .0f), VIA(.3f, .5f), VIA(.3f, 1.f)}},
    {1, 0.25f, 4, {START(.1f, .24f), CORNER(.32f, .0f), VIA(.31f, .5f), VIA(.3f, 1.f)}},
    {1, 0.13f, 6, {START(.1f, .22f), CORNER(.31f, .0f), VIA(.31f, .5f), VIA(.3f, 1.f), START(.04f, 1.f),
                   VIA(.56f, 1.f)}},
    /* 2: straight foot; a loop at the foot; round with a swung foot */
    {2, 0.4f, 8, {START(.02f, .22f), VIA(.13f, .05f), VIA(.36f, .0f), VIA(.55f, .15f), VIA(.5f, .42f), VIA(.26f, .75f),
                  CORNER(.0f, .98f), VIA(.64f, .97f)}},
    {2, 0.35f, 11, {START(.06f, .17f), VIA(.25f, .01f), VIA(.48f, .06f), VIA(.54f, .3f), VIA(.37f, .65f),
                    VIA(.13f, .95f), VIA(.01f, .9f), VIA(.08f, .76f), VIA(.26f, .82f), VIA(.45f, .98f),
                    VIA(.68f, .9f)}},
    {2, 0.25f, 8, {START(.0f, .12f), VIA(.26f, .0f), VIA(.5f, .1f), VIA(.48f, .38f), VIA(.25f, .72f),
                   CORNER(.04f, .94f), VIA(.32f, .9f), VIA(.66f, 1.f)}},
    /* 3: two bows; a flat top; bows with a small loop between them */
    {3, 0.5f, 10, {START(.03f, .13f), VIA(.25f, .0f), VIA(.5f, .1f), VIA(.47f, .34f), CORNER(.2f, .47f),
                   VIA(.45f, .52f), VIA(.6f, .72f), VIA(.47f, .94f), VIA(.22f, 1.f), VIA(.0f, .88f)}},
    {3, 0.15f, 8, {START(.02f, .02f), CORNER(.55f, .0f), CORNER(.25f, .4f), VIA(.48f, .48f), VIA(.58f, .72f),
                   VIA(.42f, .96f), VIA(.18f, 1.f), VIA(.0f, .9f)}},
    {3, 0.35f, 11, {START(.05f, .1f), VIA(.3f, .0f), VIA(.51f, .15f), VIA(.4f, .4f), VIA(.2f, .5f), VIA(.22f, .41f),
                    VIA(.44f, .5f), VIA(.58f, .72f), VIA(.42f, .96f), VIA(.18f, 1.f), VIA(.0f, .88f)}},
    /* 4: open, two strokes; open with a round bend; closed; written in one go */
    {4, 0.45f, 7, {START(.09f, .0f), VIA(.04f, .28f), CORNER(.02f, .56f), VIA(.3f, .55f), VIA(.62f, .5f),
                   START(.52f, .04f), VIA(.46f, 1.f)}},
    {4, 0.25f, 8, {START(.12f, .0f), VIA(.02f, .33f), VIA(.1f, .53f), VIA(.33f, .53f), VIA(.6f, .45f), START(.56f, .0f),
                   VIA(.5f, .5f), VIA(.43f, 1.f)}},
    {4, 0.15f, 6, {START(.42f, .0f), CORNER(.0f, .62f), VIA(.65f, .62f), START(.44f, .0f), VIA(.43f, .5f),
                   VIA(.42f, 1.f)}},
    {4, 0.15f, 8, {START(.07f, .03f), VIA(.02f, .33f), VIA(.14f, .51f), VIA(.38f, .44f), VIA(.5f, .2f),
                   CORNER(.54f, .02f), VIA(.5f, .5f), VIA(.44f, 1.f)}},
    /* 5: body, then the bar; in one go; flowing */
    {5, 0.45f, 9, {START(.16f, .04f), CORNER(.12f, .42f), VIA(.36f, .38f), VIA(.55f, .55f), VIA(.52f, .83f),
                   VIA(.28f, 1.f), VIA(.0f, .92f), START(.16f, .03f), VIA(.6f, .0f)}},
    {5, 0.3f, 8, {START(.62f, .0f), CORNER(.18f, .03f), CORNER(.11f, .43f), VIA(.37f, .4f), VIA(.53f, .6f),
                  VIA(.46f, .88f), VIA(.22f, 1.f), VIA(.0f, .9f)}},
    {5, 0.25f, 8, {START(.66f, .02f), VIA(.38f, .04f), VIA(.19f, .16f), VIA(.2f, .38f), VIA(.42f, .58f),
                   VIA(.45f, .84f), VIA(.22f, 1.f), VIA(.0f, .94f)}},
    /* 6: a long back; upright with a small loop; a wide sweep */
    {6, 0.45f, 10, {START(.46f, .0f), VIA(.2f, .22f), VIA(.04f, .56f), VIA(.07f, .87f), VIA(.28f, 1.f), VIA(.5f, .88f),
                    VIA(.5f, .65f), VIA(.32f, .54f), VIA(.13f, .66f), VIA(.06f, .8f)}},
    {6, 0.3f, 9, {START(.25f, .0f), VIA(.08f, .4f), VIA(.06f, .8f), VIA(.22f, 1.f), VIA(.42f, .9f), VIA(.44f, .72f),
                  VIA(.3f, .6f), VIA(.14f, .7f), VIA(.09f, .84f)}},
    {6, 0.25f, 9, {START(.6f, .06f), VIA(.28f, .14f), VIA(.04f, .52f), VIA(.08f, .88f), VIA(.32f, 1.f), VIA(.57f, .85f),
                   VIA(.53f, .6f), VIA(.3f, .53f), VIA(.06f, .74f)}},
    /* 7: plain; with a hook; with a bar through it; round at the shoulder */
    {7, 0.4f, 5, {START(.0f, .06f), VIA(.3f, .04f), CORNER(.58f, .01f), VIA(.4f, .45f), VIA(.25f, 1.f)}},
    {7, 0.2f, 5, {START(.0f, .24f), CORNER(.03f, .05f), CORNER(.56f, .02f), VIA(.36f, .48f), VIA(.26f, 1.f)}},
    {7, 0.18f, 7, {START(.0f, .05f), VIA(.3f, .04f), CORNER(.58f, .0f), VIA(.4f, .45f), VIA(.22f, 1.f),
                   START(.16f, .52f), VIA(.58f, .48f)}},
    {7, 0.22f, 6, {START(.0f, .13f), VIA(.22f, .02f), VIA(.46f, .02f), VIA(.54f, .14f), VIA(.43f, .5f),
                   VIA(.34f, 1.f)}},
    /* 8: one stroke from the top right; one that starts in the middle; two rings */
    {8, 0.55f, 12, {START(.5f, .12f), VIA(.3f, .0f), VIA(.08f, .1f), VIA(.1f, .32f), VIA(.32f, .49f), VIA(.53f, .72f),
                    VIA(.45f, .94f), VIA(.24f, 1.f), VIA(.05f, .86f), VIA(.14f, .64f), VIA(.38f, .42f),
                    VIA(.52f, .16f)}},
    {8, 0.25f, 11, {START(.3f, .47f), VIA(.1f, .32f), VIA(.14f, .07f), VIA(.33f, .0f), VIA(.5f, .12f), VIA(.42f, .34f),
                    VIA(.17f, .6f), VIA(.06f, .84f), VIA(.26f, 1.f), VIA(.5f, .82f), VIA(.28f, .47f)}},
    {8, 0.2f, 14, {START(.3f, .0f), VIA(.1f, .12f), VIA(.12f, .36f), VIA(.3f, .46f), VIA(.48f, .35f), VIA(.48f, .11f),
                   VIA(.27f, .0f), START(.3f, .46f), VIA(.06f, .6f), VIA(.06f, .88f), VIA(.3f, 1.f), VIA(.54f, .87f),
                   VIA(.52f, .6f), VIA(.28f, .46f)}},
    /* 9: a ring and a straight stem; a slanting stem; a curled tail */
    {9, 0.4f, 9, {START(.5f, .1f), VIA(.28f, .0f), VIA(.05f, .15f), VIA(.05f, .4f), VIA(.25f, .5f), VIA(.45f, .35f),
                  CORNER(.52f, .08f), VIA(.5f, .5f), VIA(.47f, 1.f)}},
    {9, 0.35f, 9, {START(.52f, .14f), VIA(.34f, .0f), VIA(.1f, .12f), VIA(.05f, .36f), VIA(.22f, .47f), VIA(.43f, .33f),
                   CORNER(.54f, .1f), VIA(.44f, .55f), VIA(.27f, 1.f)}},
    {9, 0.25f, 10, {START(.5f, .16f), VIA(.3f, .0f), VIA(.07f, .14f), VIA(.06f, .4f), VIA(.28f, .49f), VIA(.46f, .35f),
                    CORNER(.51f, .12f), VIA(.51f, .6f), VIA(.36f, .97f), VIA(.06f, .92f)}},
};
/* clang-format on */

const elbo_digit_shape *elbo_digit_pick(int digit, float chance) {
    const elbo_digit_shape *picked = &shapes[0];
    for (unsigned i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if (shapes[i].digit != digit) continue;
        picked = &shapes[i];
        if (chance < picked->share) break;
        chance -= picked->share;
    }
    return picked;
}
