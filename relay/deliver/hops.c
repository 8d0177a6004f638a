/* relay/deliver/hops.c - recipients delivered, by what protected the last hop; kept over restarts. */
#include "relay/deliver/hops.h"

#include <stdlib.h>
#include <string.h>

#include "base/bigend.h"
#include "base/log.h"
#include "relay/deliver/keep.h"

#define NOTE     "hops"
#define VERSION  1
#define RECORD   33 /* version u8, four u64 */
#define FLUSH_MS SECONDS(2)

struct hops {
	struct queue *queue;
	struct timer flush;
	bool flush_due;
	struct hops_counts counts;
};

static void write_record(const struct hops_counts *counts, uint8_t out[RECORD])
{
	const uint64_t numbers[] = { counts->plaintext, counts->tls, counts->dane, counts->verified };

	*out++ = VERSION;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		out = bigend_put(out, numbers[i], 8);
}

static void on_note(void *arg, const char *name, const void *data, size_t len)
{
	struct hops_counts *counts = arg;
	uint64_t *const numbers[] = { &counts->plaintext, &counts->tls, &counts->dane, &counts->verified };
	const uint8_t *at = data;

	if (strcmp(name, NOTE) != 0 || len != RECORD || *at++ != VERSION)
		return;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		*numbers[i] = bigend_get(&at, 8);
}

void hops_read(struct queue_reader *reader, struct hops_counts *out)
{
	struct err_detail why;

	*out = (struct hops_counts){ .plaintext = 0 };
	if (reader && queue_notes_read(reader, NOTE, on_note, out, &why) != OK)
		log_text(LOG_WARN, "hops", "%s", why.text);
}

static void flush(void *arg)
{
	struct hops *hops = arg;
	uint8_t record[RECORD];

	if (!hops->flush_due)
		return;
	hops->flush_due = false;
	write_record(&hops->counts, record);
	keep_note(hops->queue, NOTE, record, sizeof(record));
}

struct hops *hops_create(struct loop *loop, struct queue *queue, struct queue_reader *reader)
{
	struct hops *hops = xcalloc(1, sizeof(*hops));

	hops->queue = queue;
	timer_init(&hops->flush, loop, flush, hops);
	hops_read(reader, &hops->counts);
	return hops;
}

void hops_destroy(struct hops **hops)
{
	struct hops *h = *hops;

	*hops = NULL;
	if (!h)
		return;
	flush(h);
	timer_fini(&h->flush);
	free(h);
}

void hops_add(struct hops *hops, bool in_clear, const char *how, uint64_t rcpts)
{
	struct hops_counts *counts = &hops->counts;

	if (rcpts == 0)
		return;
	*(in_clear ? &counts->plaintext : &counts->tls) += rcpts;
	if (strncmp(how, "dane", 4) == 0)
		counts->dane += rcpts;
	else if (strcmp(how, "ca") == 0)
		counts->verified += rcpts;
	if (!hops->flush_due)
		timer_start(&hops->flush, FLUSH_MS);
	hops->flush_due = true;
}

const struct hops_counts *hops_counts_of(const struct hops *hops)
{
	return &hops->counts;
}
