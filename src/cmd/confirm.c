/* The question of the prune commands (CV-27). */
#include "confirm.h"

#include "cmd.h"

int cmd_confirm(const char *warning)
{
    char answer[16] = "";
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return err_set(-ECANCELED, "%s Nobody can be asked here; use --force", warning);
    fprintf(stderr, "WARNING! %s\nAre you sure you want to continue? [y/N] ", warning);
    return fgets(answer, sizeof answer, stdin) && (*answer == 'y' || *answer == 'Y');
}
