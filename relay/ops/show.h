/* relay/ops/show.h - facts of a message that several verbs tell: its envelope, its header fields, its bytes. */
#ifndef OPS_SHOW_H
#define OPS_SHOW_H

#include <jansson.h>

#include "relay/ops/task.h"

/* The envelope and what is known of the acceptance. */
json_t *show_message(const struct ops_env *env, const struct queue_message *message) MUST_USE;

/* The best known header fields, unfolded, as far as the first two chunks hold the header section. */
json_t *show_headers(const struct ops_env *env, msg_id id) MUST_USE;

/* Emit chunk `n` of a body of `chunks` as {"data": base64}, or end the task: behind the last, or when the body is gone. */
enum task_state show_chunk(struct task *task, msg_id id, uint32_t n, uint32_t chunks);

#endif
