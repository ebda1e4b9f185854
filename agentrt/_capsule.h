/* SPDX-License-Identifier: Apache-2.0
 *
 * _capsule.h: DLPack's capsules (part of agentrt/_ffi.c; with _matcher.h the only C that knows Python's objects).
 *
 * Objects come as their id(), which in CPython is their address. The functions are called without the interpreter's lock. */

#define PLAIN_ "dltensor"
#define VERSIONED_ "dltensor_versioned"

/* Takes the managed tensor out of a capsule, which the caller then owns; NULL when it is none, or was consumed before. */
static void *agentrt_capsule_take(uintptr_t capsule, int *is_versioned) {
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *object = (PyObject *)capsule;
    void *managed = NULL;
    *is_versioned = PyCapsule_IsValid(object, VERSIONED_);
    if (*is_versioned || PyCapsule_IsValid(object, PLAIN_)) {
        managed = PyCapsule_GetPointer(object, *is_versioned ? VERSIONED_ : PLAIN_);
        PyCapsule_SetName(object, *is_versioned ? "used_" VERSIONED_ : "used_" PLAIN_);
    }
    PyGILState_Release(state);
    return managed;
}

static void agentrt_capsule_free_(PyObject *capsule) { /* of one that nobody consumed */
    int is_versioned = PyCapsule_IsValid(capsule, VERSIONED_);
    if (is_versioned || PyCapsule_IsValid(capsule, PLAIN_))
        art_dlpack_free(PyCapsule_GetPointer(capsule, is_versioned ? VERSIONED_ : PLAIN_), is_versioned);
}

/* Appends a capsule that owns the managed tensor to a list. 0: out of memory, the caller still owns it. */
static int agentrt_capsule_give(uintptr_t list, void *managed, int is_versioned) {
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *capsule = PyCapsule_New(managed, is_versioned ? VERSIONED_ : PLAIN_, agentrt_capsule_free_);
    int ok = capsule && PyList_Append((PyObject *)list, capsule) == 0;
    if (!ok) {
        if (capsule) PyCapsule_SetDestructor(capsule, NULL);
        PyErr_Clear();
    }
    Py_XDECREF(capsule);
    PyGILState_Release(state);
    return ok;
}
