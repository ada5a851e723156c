"""Several finished runs become one."""
