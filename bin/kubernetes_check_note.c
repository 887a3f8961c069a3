// SPDX-License-Identifier: MIT
// DESIGN: what all parts of the comparison say is said in one form.
#include "kubernetes_check.h"

void check_note(const struct check *check, const struct check_pod *pod, const char *field,
                const char *got, const char *want, const char *next)
{
    char where[FINDING_TEXT];
    findings_add(check->findings,
                 finding_text(where, "%s: %s/%s: %s", pod->file, pod->kind, pod->name, field), got,
                 want, next);
}
