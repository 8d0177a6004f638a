/* conf/index.h - find tenants, logins, networks, providers and routes of a snapshot without walking its lists. */
#ifndef CONF_INDEX_H
#define CONF_INDEX_H

#include "conf/conf.h"

struct index;

/* Index what `conf` holds, which must not move afterwards. Of two equal keys the first counts. Freed by index_destroy. */
struct index *index_build(const struct conf *conf) MUST_USE;
void index_destroy(struct index **index);

#endif
