/* SPDX-License-Identifier: Apache-2.0
 *
 * art_idna.h: the labels of internationalised domain names (private to csrc).
 *
 * Purpose   A-labels ("xn--" and Punycode) back to the text they stand for, whether other labels have an A-label, and whether labels
 *           are in NFC. Which characters a label may have, and in which order, is for the regular languages of art_format.c to say.
 * Owns      nothing.
 * Threads   pure functions.
 * Errors    none.
 * Limits    labels of 63 octets, as DNS has them.
 * Cost      linear in the text, quadratic in a label.
 *
 * Source: RFC 3492 (Punycode), RFC 5891 section 4.2 and 5.4, UAX #15 (normalisation). */
#ifndef ART_IDNA_H
#define ART_IDNA_H

#include <stddef.h>
#include <stdint.h>

typedef enum arti_idna {
    ARTI_IDNA_PLAIN, /* no A-label in it; every label with other characters than ASCII has one that is short enough, and is in NFC */
    ARTI_IDNA_EXPANDED, /* its A-labels stand for the text in `out` */
    ARTI_IDNA_WRONG /* an A-label stands for nothing, or is not what its text is encoded as; or a label is too long, or not in NFC */
} arti_idna;

/* text: UTF-8, a domain name, or an address, of which what follows the last '@' is looked at; its labels need not be in NFC, unless they are
 * A-labels: so the official test suite of JSON Schema has it. out: room for 4 * len bytes; *out_len
 * of them are the name with its A-labels expanded. */
arti_idna arti_idna_expand(const uint8_t *text, size_t len, uint8_t *out, size_t *out_len);

#endif
