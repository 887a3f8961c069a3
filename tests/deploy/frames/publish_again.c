// SPDX-License-Identifier: MIT
// A program with an open publisher.
#include <warren/warren.h>

int main(void)
{
    warren_publisher *publisher = NULL;
    warren_error err = { 0 };
    if (warren_publisher_open(&publisher, NULL, &err))
        return 1;
    // @block@
    warren_publisher_close(publisher);
    return warren_exit_code(rc);
}
