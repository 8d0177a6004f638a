/* sched/learned.h - the stored form of what was learned of lanes and destinations, and of the operator's pauses. Pure but for its strings.
 *
 * Version first; numbers big-endian, as everywhere in the store. A later version appends fields. */
#ifndef SCHED_LEARNED_H
#define SCHED_LEARNED_H

#include "sched/health.h"
#include "sched/pace.h"

#define LEARNED_MAX 160

struct learned_lane {
	struct pace pace;
	uint32_t failures, blocks;
	wall_ms paused_until;
	uint32_t shut_by;
	uint8_t shut_class; /* enum replies_class + 1 of the words; 0: none */
	uint8_t silent, silences, strained, refused;
	wall_ms unheard_at, strained_at;
	struct health health;
};

struct learned_dest {
	uint8_t operator_paused, down;
	uint32_t failures, pauses;
	wall_ms pause_until;
};

/* The bytes of a row and their number. */
size_t learned_encode_lane(const struct learned_lane *lane, uint8_t out[LEARNED_MAX]);
size_t learned_encode_dest(const struct learned_dest *dest, uint8_t out[LEARNED_MAX]);

/* ERR_VERSION, ERR_CORRUPT: nothing was read. */
enum err learned_decode_lane(const void *data, size_t len, struct learned_lane *out);
enum err learned_decode_dest(const void *data, size_t len, struct learned_dest *out);

#endif
