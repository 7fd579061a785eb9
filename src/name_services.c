/* Linked into a static binary with glibc only: it looks up names in the files and the DNS that are built into it.
 *
 * Otherwise glibc loads the modules that the host's nsswitch.conf names (resolve, mdns4_minimal, sss). They belong to
 * the host's glibc, and a static binary has its own: https://sourceware.org/glibc/wiki/FAQ. */

#include <nss.h>

__attribute__((constructor)) static void use_built_in_name_services(void) {
    /* Fails only without memory: then the lookup fails too. */
    (void)__nss_configure_lookup("hosts", "files dns");
    (void)__nss_configure_lookup("passwd", "files");
    (void)__nss_configure_lookup("services", "files");
}
