/* relay/ops/hosts.h - a receiving address that is down, as JSON. */
#ifndef OPS_HOSTS_H
#define OPS_HOSTS_H

#include <jansson.h>

#include "relay/deliver/dispatch.h"

/* address, name, since, until, failures, probing, one_source, why. A new reference. */
json_t *host_json(const struct host_view *view) MUST_USE;

#endif
