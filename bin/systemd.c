// SPDX-License-Identifier: MIT
// DESIGN: the whole unit is this table; deploy/systemd is written from it. What is closed here is closed
// for handlers, too, since they run in the worker's process: one that needs more gets it by a drop-in, and
// docs/systemd.md says by which.
#include "systemd.h"

#define SECTION(name)                                                                              \
    {                                                                                              \
        NULL, name, NULL, FIXED                                                                    \
    }

/* clang-format off: a row reads as comment, name, value, source. */
static const struct unit_line lines[] = {
    SECTION("[Unit]"),
    { NULL, "Description", "{description}", FIXED },
    { NULL, "Documentation", "man:warren-run(1) man:warren.cfg(5)", FIXED },
    { NULL, "Wants", "network-online.target", FIXED },
    { "A broker on this machine starts before, and stops after.", "After",
      "network-online.target rabbitmq-server.service", FIXED },

    SECTION("[Service]"),
    { NULL, "Type", "notify", FIXED },
    { NULL, "NotifyAccess", "main", FIXED },
    { NULL, "ExecStart", NULL, EXEC_START },
    { NULL, "ExecReload", "/bin/kill -HUP $MAINPID", FIXED },
    { "connect_wait and connect_timeout. A worker asks for more where its files say more.",
      "TimeoutStartSec", NULL, START_MOST },
    { "drain_timeout, and what comes after a drain; the same goes for it.", "TimeoutStopSec", NULL,
      STOP_MOST },
    { "Only the worker is told to stop: it waits for its jobs, and so for what these have started.",
      "KillMode", "mixed", FIXED },
    { "A worker with a stuck thread or loop (/livez) sends no sign of life. It is told to drain, "
      "so that\n"
      "no other job is charged with a crash.",
      "WatchdogSec", NULL, WATCHDOG },
    { NULL, "WatchdogSignal", "SIGTERM", FIXED },
    { "Not with a wrong command line or configuration, which another start doesn't mend.",
      "Restart", "on-failure", FIXED },
    { NULL, "RestartSec", "5s", FIXED },
    { NULL, "RestartPreventExitStatus", "2 7", FIXED },
    { "As for a container: limits.body, prefetch, threads, and what a handler takes.", "MemoryMax",
      NULL, MEMORY },

    { "A user of its own for as long as it runs, and a folder for state_dir = \"auto\".",
      "DynamicUser", "yes", FIXED },
    { NULL, "StateDirectory", "{unit}", FIXED },
    { NULL, "StateDirectoryMode", "0700", FIXED },
    { "The folder that state_dir names: it must belong to the unit's user.", "ReadWritePaths", NULL,
      WRITE_PATHS },
    { NULL, "UMask", "0077", FIXED },

    { "Secrets from /etc/credstore, for broker.password_file and others as\n"
      "\"${env:CREDENTIALS_DIRECTORY}/broker-password\". What isn't there is left out.",
      "LoadCredential", "broker-user:{unit}.broker-user", FIXED },
    { NULL, "LoadCredential", "broker-password:{unit}.broker-password", FIXED },
    { NULL, "LoadCredential", "tls-key:{unit}.tls-key", FIXED },
    { NULL, "LimitCORE", "0", FIXED },

    { "What it needs not: rights, devices, other processes, kernel settings, writable files.",
      "NoNewPrivileges", "yes", FIXED },
    { NULL, "CapabilityBoundingSet", "", FIXED },
    { NULL, "AmbientCapabilities", "", FIXED },
    { NULL, "ProtectSystem", "strict", FIXED },
    { NULL, "ProtectHome", NULL, HOME },
    { NULL, "PrivateTmp", "yes", FIXED },
    { NULL, "PrivateMounts", "yes", FIXED },
    { NULL, "PrivateDevices", "yes", FIXED },
    { NULL, "PrivateUsers", "yes", FIXED },
    { NULL, "PrivateIPC", "yes", FIXED },
    { NULL, "ProtectProc", "invisible", FIXED },
    { NULL, "ProcSubset", "pid", FIXED },
    { NULL, "ProtectHostname", "yes", FIXED },
    { NULL, "ProtectClock", "yes", FIXED },
    { NULL, "ProtectKernelTunables", "yes", FIXED },
    { NULL, "ProtectKernelModules", "yes", FIXED },
    { NULL, "ProtectKernelLogs", "yes", FIXED },
    { NULL, "ProtectControlGroups", "yes", FIXED },
    { NULL, "KeyringMode", "private", FIXED },
    { NULL, "LockPersonality", "yes", FIXED },
    { NULL, "MemoryDenyWriteExecute", "yes", FIXED },
    { NULL, "RemoveIPC", "yes", FIXED },
    { NULL, "RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6", FIXED },
    { NULL, "RestrictNamespaces", "yes", FIXED },
    { NULL, "RestrictRealtime", "yes", FIXED },
    { NULL, "RestrictSUIDSGID", "yes", FIXED },
    { NULL, "SystemCallArchitectures", "native", FIXED },
    { NULL, "SystemCallFilter", "@system-service", FIXED },
    { NULL, "SystemCallFilter", "~@privileged @resources", FIXED },
    { NULL, "SystemCallErrorNumber", "EPERM", FIXED },

    SECTION("[Install]"),
    { NULL, "WantedBy", "multi-user.target", FIXED },
};
/* clang-format on */

const struct unit_line *unit_lines(size_t *out_count)
{
    *out_count = sizeof lines / sizeof lines[0];
    return lines;
}
