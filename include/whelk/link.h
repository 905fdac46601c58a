/* Network interfaces of the current network namespace. */
#ifndef WHELK_LINK_H
#define WHELK_LINK_H

/* Brings lo up. */
int link_loopback_up(void);

#endif
