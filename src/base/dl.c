/* Libraries loaded at first use. They are never unloaded. */
#include "whelk/dl.h"

#include "whelk/err.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

static bool library_load(const struct dl_library *lib)
{
    void *handle = dlopen(lib->soname, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle)
        return false;
    for (const struct dl_symbol *s = lib->symbols; s->name; s++) {
        void *found = dlsym(handle, s->name);
        if (!found)
            return false;
        memcpy(s->at, &found, sizeof(found));
    }
    return true;
}

bool dl_ready(struct dl_library *lib)
{
    if (lib->state == DL_UNTRIED)
        lib->state = library_load(lib) ? DL_READY : DL_ABSENT;
    return lib->state == DL_READY;
}

int dl_need(struct dl_library *lib, const char *what_for)
{
    if (dl_ready(lib))
        return 0;
    return err_set(-ENOPKG, "cannot load %s, needed for %s: install the package %s", lib->soname, what_for,
                   lib->package);
}
