/* relay/relayq/outlook_svg.c - the forecast as a picture: recipients a day of each lane, at best and at worst, on a logarithmic scale. */
#include "relay/relayq/outlook_svg.h"

#include <math.h>
#include <stdio.h>

#include "base/err.h"
#include "relay/relayq/field.h"

#define LEFT    60
#define TOP     40
#define W       540
#define H       320
#define DAYS_X  90
#define DECADES 7

static double x_of(size_t day)
{
	return LEFT + W * (double)(day < DAYS_X ? day : DAYS_X) / DAYS_X;
}

static double y_of(double volume)
{
	return TOP + H - H * fmin(fmax(log10(fmax(volume, 1)), 0), DECADES) / DECADES;
}

/* Anybody's text in XML. */
static void put_text(FILE *out, const char *text)
{
	for (; *text != '\0'; text++)
		if (*text == '<' || *text == '&' || *text == '>' || (unsigned char)*text < ' ')
			(void)fprintf(out, "&#%u;", (unsigned char)*text < ' ' ? '?' : (unsigned char)*text);
		else
			(void)fputc(*text, out);
}

static void put_curve(FILE *out, const json_t *volumes, unsigned hue, const char *dash)
{
	const json_t *value;
	size_t day;

	(void)fprintf(out, "<polyline fill=\"none\" stroke=\"hsl(%u,65%%,40%%)\" stroke-width=\"1.5\"%s points=\"", hue, dash);
	json_array_foreach(volumes, day, value)
		(void)fprintf(out, "%.1f,%.1f ", x_of(day + 1), y_of((double)json_integer_value(value)));
	(void)fputs("\"/>\n", out);
}

static void put_scale(FILE *out)
{
	(void)fprintf(out, "<text x=\"%d\" y=\"18\" font-weight=\"bold\">Recipients a day; dashed: at worst</text>\n", LEFT);
	for (int decade = 0; decade <= DECADES; decade++)
		(void)fprintf(out, "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/><text x=\"4\" y=\"%.1f\">%.0f</text>\n", LEFT,
		    LEFT + W, y_of(pow(10, decade)), y_of(pow(10, decade)), y_of(pow(10, decade)) + 4, pow(10, decade));
	for (size_t day = 0; day <= DAYS_X; day += 10)
		(void)fprintf(out, "<text x=\"%.1f\" y=\"%d\">%zu</text>\n", x_of(day) - 5, TOP + H + 18, day);
}

bool outlook_svg_write(const char *file, const json_t *rows)
{
	FILE *out = fopen(file, "w");
	const json_t *row;
	size_t i, count = json_array_size(rows), rows_high = 14 * count, high = rows_high > H ? rows_high : H;

	if (!out)
		return false;
	(void)fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%zu\" font-family=\"sans-serif\" font-size=\"11\">\n",
	    LEFT + W + 260, TOP + high + 40);
	put_scale(out);
	json_array_foreach(rows, i, row) {
		unsigned hue = (unsigned)(360 * i / count);

		put_curve(out, json_object_get(row, "volumes_early"), hue, "");
		put_curve(out, json_object_get(row, "volumes_late"), hue, " stroke-dasharray=\"4 3\"");
		(void)fprintf(out, "<text x=\"%d\" y=\"%zu\" fill=\"hsl(%u,65%%,40%%)\">", LEFT + W + 12, TOP + 14 * i + 10, hue);
		put_text(out, field_text(row, "source"));
		(void)fputs(" to ", out);
		put_text(out, field_text(row, "destination"));
		(void)fputs("</text>\n", out);
	}
	(void)fputs("</svg>\n", out);
	return fclose(out) == 0;
}
