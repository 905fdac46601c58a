/* Libraries loaded at their first use, so that a run that does not need them does not pay for them. Each has one file
 * that is its backend:
 *
 *     DL_FUNCTION(curl_easy_init);
 *     static const struct dl_symbol symbols[] = {DL_SYMBOL(curl_easy_init), DL_END};
 *     static struct dl_library curl = {"libcurl.so.4", "libcurl4", symbols};
 *     DL_NOTE(curl, "required", "registries", "libcurl.so.4");
 *     ...
 *     if (dl_ready(&curl))
 *         dl_curl_easy_init(); */
#ifndef WHELK_DL_H
#define WHELK_DL_H

#include <stdbool.h>
#include <stdint.h>

struct dl_symbol {
    const char *name;
    void *at; /* the function pointer to fill in */
};

struct dl_library {
    const char *soname;
    const char *package; /* for the error text: what to install on Debian */
    const struct dl_symbol *symbols;
    enum { DL_UNTRIED, DL_READY, DL_ABSENT } state;
};

/* Declares dl_NAME, a pointer of the type that the library's header gives NAME; and its row in the table. */
#define DL_FUNCTION(fn) static typeof(fn) *dl_##fn
#define DL_SYMBOL(fn)                                                                                                  \
    {                                                                                                                  \
#fn, &dl_##fn                                                                                                  \
    }
#define DL_END                                                                                                         \
    {                                                                                                                  \
        NULL, NULL                                                                                                     \
    }

/* Loads the library on the first call; true if it and all its symbols are there. Sets no text. */
bool dl_ready(struct dl_library *lib);
/* The same for what cannot go on without: 0, or -ENOPKG with text that names the package. */
int dl_need(struct dl_library *lib, const char *what_for);

/* An ELF note that tells packagers of the dependency. priority: required, recommended, suggested. One line at file
 * level, name is any identifier. */
#define DL_NOTE(name, priority, description, soname)                                                                   \
    DL_NOTE_(dl_note_##name, "[{\"feature\":\"" #name "\",\"description\":\"" description                              \
                             "\",\"priority\":\"" priority "\",\"soname\":[\"" soname "\"]}]")
#define DL_NOTE_(variable, json)                                                                                       \
    __attribute__((used, section(".note.dlopen"), aligned(4))) static const struct {                                   \
        uint32_t name_size, text_size, type;                                                                           \
        char owner[4];                                                                                                 \
        char text[(sizeof(json) + 3) / 4 * 4];                                                                         \
    } variable = {4, sizeof(json), 0x407c0c0a, "FDO", json}

#endif
