/* SPDX-License-Identifier: Apache-2.0
 *
 * A library for test_dl. */
int dl_twice(int n);
int dl_thrice(int n);

int dl_twice(int n) {
    return 2 * n;
}

int dl_thrice(int n) {
    return 3 * n;
}
