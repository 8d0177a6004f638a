/* relay/ops/rule.h - by which rule a recipient domain falls in its destination, in words. Pure. */
#ifndef OPS_RULE_H
#define OPS_RULE_H

#include "conf/conf.h"

/* A line for each thing to know; borrowed for the call. */
typedef void (*rule_line_fn)(void *arg, const char *line);

/* What the configuration alone says: the route that names the domain, the provider that lists it. True: it settles the destination. */
bool rule_by_domain(const struct conf *conf, const char *domain, rule_line_fn fn, void *arg);

/* What the hosts of the domain's route say, at least one, in the order of their use: the provider of which all of them are, and the suffix that
 * names it, or a destination of their own. `from_mx`: they were found in DNS; else a route of the configuration names them. */
void rule_by_hosts(const struct conf *conf, const char *domain, const char *const *hosts, size_t count, bool from_mx, rule_line_fn fn, void *arg);

#endif
