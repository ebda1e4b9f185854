/* SPDX-License-Identifier: Apache-2.0
 *
 * _matcher.h: what a program asks of a matcher for every token (part of agentrt/_ffi.c).
 *
 * Purpose   the base class of agentrt.Matcher, with fill_mask(), accept() and allows(). Through cffi each of them would be a Python
 *           function around a C function, and take longer than most of what is asked of them.
 * Owns      references to the buffer that fill_mask() was given last and to what keeps its address valid. The matcher belongs to the
 *           subclass, which calls _attach() with its address before anything else and frees it when the object is gone.
 * Threads   the interpreter's lock is held on entry and given up while the core works; two threads in one matcher: see art.h.
 * Errors    exceptions are the subclass's: _bind(buffer) makes of a buffer what it is written through, _fail(status) and
 *           _fail_fill(status, address of the art_error) raise what the core refused.
 * Cost      some 30 ns a call above the core's work. */

typedef struct {
    PyObject_HEAD art_matcher *matcher;
    PyObject *buffer, *lent; /* lent: keeps `words` valid */
    uint32_t *words;
    Py_ssize_t n_words;
} agentrt_calls_;

static PyObject *agentrt_calls_attach_(PyObject *self, PyObject *address) {
    art_matcher *matcher = (art_matcher *)PyLong_AsVoidPtr(address);
    if (!matcher && PyErr_Occurred()) return NULL;
    ((agentrt_calls_ *)self)->matcher = matcher;
    Py_RETURN_NONE;
}

static art_matcher *agentrt_calls_matcher_(const agentrt_calls_ *c) {
    if (!c->matcher) PyErr_SetString(PyExc_RuntimeError, "matchers are made by Constraint.matcher()");
    return c->matcher;
}

/* What a mask is written through, for one call: another thread may bring another buffer meanwhile. */
typedef struct {
    PyObject *lent; /* a reference */
    uint32_t *words;
    Py_ssize_t n_words;
} agentrt_row_;

static int agentrt_calls_bind_(agentrt_calls_ *c, PyObject *buffer, agentrt_row_ *row) {
    PyObject *bound = PyObject_CallMethod((PyObject *)c, "_bind", "O", buffer), *address;
    if (!bound) return 0;
    int ok = PyArg_ParseTuple(bound, "OOn", &row->lent, &address, &row->n_words);
    if (ok) {
        row->words = (uint32_t *)PyLong_AsVoidPtr(address);
        ok = row->words || !PyErr_Occurred();
    }
    if (ok) {
        PyObject *old_buffer = c->buffer, *old_lent = c->lent;
        Py_INCREF(buffer);
        Py_INCREF(row->lent); /* the object's */
        Py_INCREF(row->lent); /* the call's */
        c->buffer = buffer;
        c->lent = row->lent;
        c->words = row->words;
        c->n_words = row->n_words;
        Py_XDECREF(old_buffer);
        Py_XDECREF(old_lent);
    }
    Py_DECREF(bound);
    return ok;
}

PyDoc_STRVAR(
    agentrt_fill_mask_doc_,
    "fill_mask($self, buffer, /)\n--\n\n"
    "Write the tokens that may come next: bit i % 32 of 32-bit word i // 32 is token i.\n\n"
    "buffer:   writable and contiguous, at least ceil(len(vocab) / 32) words. The matcher keeps it until another one\n"
    "          is given, so a bytearray can not be resized meanwhile.\n"
    "Returns:  0, 1, or 2 for \"two or more\". 0 only after the end.");
static PyObject *agentrt_calls_fill_mask_(PyObject *self, PyObject *buffer) {
    agentrt_calls_ *c = (agentrt_calls_ *)self;
    art_matcher *matcher = agentrt_calls_matcher_(c);
    if (!matcher) return NULL;
    agentrt_row_ row = {c->lent, c->words, c->n_words};
    if (buffer == c->buffer)
        Py_INCREF(row.lent);
    else if (!agentrt_calls_bind_(c, buffer, &row))
        return NULL;
    uint32_t n_allowed = 0;
    art_error err;
    err.code = ART_OK;
    PyThreadState *thread = PyEval_SaveThread();
    const art_status status = art_matcher_fill_mask(matcher, row.words, (size_t)row.n_words, &n_allowed, &err);
    PyEval_RestoreThread(thread);
    Py_DECREF(row.lent);
    if (status == ART_OK) return PyLong_FromLong((long)n_allowed);
    return PyObject_CallMethod(self, "_fail_fill", "iN", (int)status, PyLong_FromVoidPtr(&err));
}

static int agentrt_calls_token_(PyObject *object, uint32_t *token) {
    PyObject *index = PyNumber_Index(object);
    if (!index) return 0;
    const unsigned long value = PyLong_AsUnsignedLong(index);
    Py_DECREF(index);
    if (value == (unsigned long)-1 && PyErr_Occurred()) return 0;
    if (value > UINT32_MAX) {
        PyErr_SetString(PyExc_OverflowError, "no token has a number of more than 32 bits");
        return 0;
    }
    *token = (uint32_t)value;
    return 1;
}

static PyObject *agentrt_calls_ask_(PyObject *self, PyObject *object, art_status (*ask)(art_matcher *, uint32_t)) {
    art_matcher *matcher = agentrt_calls_matcher_((agentrt_calls_ *)self);
    uint32_t token;
    if (!matcher || !agentrt_calls_token_(object, &token)) return NULL;
    PyThreadState *thread = PyEval_SaveThread();
    const art_status status = ask(matcher, token);
    PyEval_RestoreThread(thread);
    if (status == ART_OK) Py_RETURN_TRUE;
    if (status == ART_REJECTED) Py_RETURN_FALSE;
    return PyObject_CallMethod(self, "_fail", "i", (int)status);
}

PyDoc_STRVAR(agentrt_accept_doc_,
             "accept($self, token, /)\n--\n\n"
             "Take a token; False when it is not allowed, and nothing changed. End of sequence ends the output.");
static PyObject *agentrt_calls_accept_(PyObject *self, PyObject *token) {
    return agentrt_calls_ask_(self, token, art_matcher_accept);
}

PyDoc_STRVAR(agentrt_allows_doc_, "allows($self, token, /)\n--\n\n"
                                  "May this token come next? About a microsecond; no mask is computed.");
static PyObject *agentrt_calls_allows_(PyObject *self, PyObject *token) {
    return agentrt_calls_ask_(self, token, art_matcher_allows);
}

static int agentrt_calls_traverse_(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((agentrt_calls_ *)self)->buffer);
    Py_VISIT(((agentrt_calls_ *)self)->lent);
    return 0;
}

static int agentrt_calls_clear_(PyObject *self) {
    Py_CLEAR(((agentrt_calls_ *)self)->buffer);
    Py_CLEAR(((agentrt_calls_ *)self)->lent);
    return 0;
}

static void agentrt_calls_dealloc_(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    agentrt_calls_clear_(self);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyMethodDef agentrt_calls_methods_[] = {
    {"fill_mask", agentrt_calls_fill_mask_, METH_O, agentrt_fill_mask_doc_},
    {"accept", agentrt_calls_accept_, METH_O, agentrt_accept_doc_},
    {"allows", agentrt_calls_allows_, METH_O, agentrt_allows_doc_},
    {"_attach", agentrt_calls_attach_, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot agentrt_calls_slots_[] = {
    {Py_tp_methods, agentrt_calls_methods_},
    {Py_tp_traverse, (void *)agentrt_calls_traverse_},
    {Py_tp_clear, (void *)agentrt_calls_clear_},
    {Py_tp_dealloc, (void *)agentrt_calls_dealloc_},
    {0, NULL},
};

static PyType_Spec agentrt_calls_spec_ = {
    .name = "agentrt._ffi.MatcherCalls",
    .basicsize = sizeof(agentrt_calls_),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = agentrt_calls_slots_,
};

/* Adds the class to a module. 0: out of memory. */
static int agentrt_calls_add(uintptr_t module) {
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *type = PyType_FromSpec(&agentrt_calls_spec_);
    int ok = type && PyObject_SetAttrString((PyObject *)module, "MatcherCalls", type) == 0;
    if (!ok) PyErr_Clear();
    Py_XDECREF(type);
    PyGILState_Release(state);
    return ok;
}
