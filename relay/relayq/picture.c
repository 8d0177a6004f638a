/* relay/relayq/picture.c - see picture.h. */
#include "relay/relayq/picture.h"

#include <math.h>

#define LEFT    60
#define TOP     40
#define W       540
#define H       320
#define DECADES 7
#define MARKS   9 /* on the axis of days */

static double x_of(const struct picture *picture, size_t day)
{
	return LEFT + W * (double)(day < picture->days ? day : picture->days) / (double)picture->days;
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

static unsigned hue_of(const struct picture *picture, size_t lane)
{
	return (unsigned)(360 * lane / picture->lanes);
}

bool picture_begin(struct picture *picture, const char *file, const char *title, size_t days, size_t lanes)
{
	size_t names = 14 * lanes, high = names > H ? names : H, step = days < MARKS ? 1 : (days + MARKS - 1) / MARKS;

	*picture = (struct picture){ .out = fopen(file, "w"), .lanes = lanes > 0 ? lanes : 1, .days = days > 0 ? days : 1 };
	if (!picture->out)
		return false;
	(void)fprintf(picture->out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%zu\" font-family=\"sans-serif\" font-size=\"11\">\n"
	    "<text x=\"%d\" y=\"18\" font-weight=\"bold\">%s</text>\n", LEFT + W + 260, TOP + high + 40, LEFT, title);
	for (int decade = 0; decade <= DECADES; decade++)
		(void)fprintf(picture->out, "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/><text x=\"4\" y=\"%.1f\">%.0f</text>\n", LEFT,
		    LEFT + W, y_of(pow(10, decade)), y_of(pow(10, decade)), y_of(pow(10, decade)) + 4, pow(10, decade));
	for (size_t day = 0; day <= picture->days; day += step)
		(void)fprintf(picture->out, "<text x=\"%.1f\" y=\"%d\">%zu</text>\n", x_of(picture, day) - 5, TOP + H + 18, day);
	return true;
}

void picture_curve(struct picture *picture, size_t lane, enum picture_line line, size_t first, const double *volumes, size_t count)
{
	static const char *const DASHES[] = { [LINE_SOLID] = "", [LINE_DASHED] = " stroke-dasharray=\"4 3\"", [LINE_DOTTED] = " stroke-dasharray=\"1 3\"" };

	(void)fprintf(picture->out, "<polyline fill=\"none\" stroke=\"hsl(%u,65%%,40%%)\" stroke-width=\"1.5\"%s points=\"", hue_of(picture, lane), DASHES[line]);
	for (size_t i = 0; i < count; i++)
		(void)fprintf(picture->out, "%.1f,%.1f ", x_of(picture, first + i + 1), y_of(volumes[i]));
	(void)fputs("\"/>\n", picture->out);
}

void picture_name(struct picture *picture, size_t lane, const char *source, const char *destination)
{
	(void)fprintf(picture->out, "<text x=\"%d\" y=\"%zu\" fill=\"hsl(%u,65%%,40%%)\">", LEFT + W + 12, TOP + 14 * lane + 10, hue_of(picture, lane));
	put_text(picture->out, source);
	(void)fputs(" to ", picture->out);
	put_text(picture->out, destination);
	(void)fputs("</text>\n", picture->out);
}

bool picture_end(struct picture *picture)
{
	bool failed = ferror(picture->out) != 0;

	if (fputs("</svg>\n", picture->out) == EOF)
		failed = true;
	return fclose(picture->out) == 0 && !failed;
}
