/* conf/link.h - fill in what follows from other settings, and tie names to what they name. */
#ifndef CONF_LINK_H
#define CONF_LINK_H

#include "conf/load.h"

/* Complete a loaded conf: implied source and pool, host name, workers, user, pools of tenants, parts of routes; builds the
 * index. A name that names nothing is a fault. */
void link_conf(struct load *load, struct conf *conf);

#endif
