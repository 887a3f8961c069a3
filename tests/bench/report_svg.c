// SPDX-License-Identifier: MIT
// DESIGN: a row a goal: a line from the least to the most of the rounds, a dot at the median, and a
// mark where the target is, with an arrow to the good side. Ratios stand at their value; what has a
// unit stands at its share of the target, which is then at 1. Those for information have no mark.
#include <math.h>
#include <string.h>

#include "report.h"
#include "side.h"

enum { LEFT = 430, WIDTH = 400, RIGHT = 150, ROW = 22, TOP = 64, TITLE_ROW = 30 };

static const double most_shown = 2.0;

static double x_of(double share)
{
    double kept = share < 0 ? 0 : share > most_shown ? most_shown : share;
    return LEFT + kept / most_shown * WIDTH;
}

static void put_text(FILE *file, double x, double y, const char *class, const char *text)
{
    (void)fprintf(file, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, class);
    for (; *text; text++) {
        if (*text == '<') {
            (void)fputs("&lt;", file);
        } else if (*text == '&') {
            (void)fputs("&amp;", file);
        } else {
            (void)fputc(*text, file);
        }
    }
    (void)fputs("</text>\n", file);
}

static void put_line(FILE *file, const char *class, const double at[4])
{
    (void)fprintf(file, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
                  class, at[0], at[1], at[2], at[3]);
}

static void put_axis(FILE *file, double bottom)
{
    for (int i = 0; i <= 4; i++) {
        char text[16];
        double x = x_of(i * 0.5);
        put_line(file, i == 2 ? "one" : "grid", (double[]){ x, TOP - 6, x, bottom });
        (void)snprintf(text, sizeof text, "%.1f", i * 0.5);
        put_text(file, x, TOP - 10, "tick", text);
    }
}

static void put_target(FILE *file, double at, double y, bool is_at_most)
{
    double x = x_of(at);
    double tip = is_at_most ? x - 6 : x + 6;
    put_line(file, "target", (double[]){ x, y - 8, x, y + 8 });
    (void)fprintf(file, "<path class=\"arrow\" d=\"M%.1f %.1f L%.1f %.1f L%.1f %.1f z\"/>\n", x,
                  y - 8, tip, y - 5, x, y - 2);
}

static void put_figures(FILE *file, const struct outcome *outcome, size_t index, double y)
{
    char text[96];
    const struct goal *goal = &outcome->bench->goals[index];
    bool is_ratio = strcmp(report_unit(goal), "×") == 0;
    int decimals = is_ratio ? 2 : 1;
    int length = snprintf(text, sizeof text, "%.*f %s", decimals, outcome->goals[index].median,
                          report_unit(goal));
    if (goal->limit != 0 && length > 0) {
        (void)snprintf(text + length, sizeof text - (size_t)length, "  (%s %.*f)",
                       goal->is_at_most ? "≤" : "≥", decimals, outcome->limits[index]);
    }
    put_text(file, LEFT + WIDTH + 14, y + 4, outcome->is_met[index] ? "figure" : "figure bad",
             text);
}

static void put_goal(FILE *file, const struct outcome *outcome, size_t index, double y)
{
    const struct goal *goal = &outcome->bench->goals[index];
    const struct spread *spread = &outcome->goals[index];
    bool is_ratio = strcmp(report_unit(goal), "×") == 0;
    double unit = is_ratio || goal->limit == 0 ? 1 : outcome->limits[index];
    put_text(file, LEFT - 12, y + 4, "name", goal->text);
    put_figures(file, outcome, index, y);
    if (isnan(spread->median) || (!is_ratio && goal->limit == 0)) {
        return;
    }
    put_line(file, outcome->is_met[index] ? "range" : "range bad",
             (double[]){ x_of(spread->least / unit), y, x_of(spread->most / unit), y });
    (void)fprintf(file, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\"/>\n",
                  outcome->is_met[index] ? "dot" : "dot bad", x_of(spread->median / unit), y);
    if (goal->limit != 0) {
        put_target(file, outcome->limits[index] / unit, y, goal->is_at_most);
    }
}

static double height_of(struct outcome *const *outcomes, size_t count)
{
    double height = TOP;
    for (size_t i = 0; i < count; i++) {
        height += TITLE_ROW + (double)outcomes[i]->bench->goal_count * ROW;
    }
    return height;
}

static void put_head(FILE *file, const struct report_place *place, double height)
{
    char text[160];
    (void)fprintf(file,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %.0f\" "
                  "font-family=\"sans-serif\" font-size=\"12\">\n<style>\n"
                  ".bench{font-weight:bold;font-size:13px}.name{text-anchor:end}"
                  ".tick{text-anchor:middle;fill:#666}.title{font-size:15px;font-weight:bold}\n"
                  ".grid{stroke:#ddd}.one{stroke:#999}.range{stroke:#27874a;stroke-width:3}"
                  ".dot{fill:#27874a}.target{stroke:#222;stroke-width:2}.arrow{fill:#222}\n"
                  ".range.bad{stroke:#c0392b}.dot.bad,.figure.bad{fill:#c0392b}\n</style>\n"
                  "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
                  LEFT + WIDTH + RIGHT, height + 12);
    (void)snprintf(text, sizeof text, "Warren %s on RabbitMQ %s, %ld cores, %s", place->library,
                   place->broker, place->cores, place->date);
    put_text(file, 16, 24, "title", text);
    put_text(file, 16, 42, "tick-left",
             "dot: median, line: least to most of the rounds, mark: target (the arrow shows where "
             "it is good)");
    put_axis(file, height);
}

void report_svg(const char *path, const struct report_place *place, struct outcome *const *outcomes,
                size_t count)
{
    double y = TOP;
    FILE *file = fopen(path, "w");
    if (!file) {
        side_give_up("cannot write", path);
    }
    put_head(file, place, height_of(outcomes, count));
    for (size_t i = 0; i < count; i++) {
        put_text(file, 16, y + TITLE_ROW - 10, "bench", outcomes[i]->bench->name);
        y += TITLE_ROW;
        for (size_t g = 0; g < outcomes[i]->bench->goal_count; g++) {
            put_goal(file, outcomes[i], g, y + ROW / 2.0);
            y += ROW;
        }
    }
    (void)fputs("</svg>\n", file);
    if (fclose(file)) {
        side_give_up("cannot write", path);
    }
}
