/* conf/check.h - rules that need more than one setting. */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include "conf/fault.h"

/* Check a linked conf; faults and warnings are added. */
void check_conf(const struct conf *conf, struct fault_list *faults);

#endif
