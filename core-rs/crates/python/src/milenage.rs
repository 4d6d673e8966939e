//! MILENAGE for Python. The subscriber key stays inside; what it yields comes out as `Secret`.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use session_crypto::CryptoError;
use session_crypto::milenage::Constants;

use crate::buffer::Data;
use crate::crypto::failure;
use crate::secret::{Key, Secret};

/// The functions of one subscriber key.
#[pyclass(module = "cardea_core", frozen)]
pub(crate) struct Milenage(session_crypto::milenage::Milenage);

/// What a home network hands out for one authentication.
#[pyclass(module = "cardea_core", frozen)]
pub(crate) struct AuthVector {
    #[pyo3(get)]
    rand: Py<PyBytes>,
    #[pyo3(get)]
    autn: Py<PyBytes>,
    #[pyo3(get)]
    xres: Py<Secret>,
    #[pyo3(get)]
    ck: Py<Secret>,
    #[pyo3(get)]
    ik: Py<Secret>,
}

impl AuthVector {
    /// XRES, CK and IK last.
    pub(crate) fn new(
        py: Python<'_>,
        rand: &[u8],
        autn: &[u8],
        secrets: [session_crypto::Secret; 3],
    ) -> PyResult<Self> {
        let [xres, ck, ik] = secrets;
        Ok(Self {
            rand: PyBytes::new(py, rand).unbind(),
            autn: PyBytes::new(py, autn).unbind(),
            xres: Py::new(py, Secret::from(xres))?,
            ck: Py::new(py, Secret::from(ck))?,
            ik: Py::new(py, Secret::from(ik))?,
        })
    }
}

#[pymethods]
impl AuthVector {
    fn __repr__(&self) -> &'static str {
        "<AuthVector>"
    }
}

#[pymethods]
impl Milenage {
    #[new]
    #[pyo3(signature = (k, opc, *, rotations = None, constants = None))]
    fn new(
        py: Python<'_>,
        k: Key<'_>,
        opc: Key<'_>,
        rotations: Option<[u8; 5]>,
        constants: Option<Data<'_>>,
    ) -> PyResult<Self> {
        session_crypto::milenage::Milenage::new(k.as_slice(), opc.as_slice())
            .and_then(|milenage| milenage.with_constants(chosen(rotations, constants)?))
            .map(Self)
            .map_err(|e| failure(py, e))
    }

    #[staticmethod]
    #[pyo3(signature = (k, op, *, rotations = None, constants = None))]
    fn from_op(
        py: Python<'_>,
        k: Key<'_>,
        op: Key<'_>,
        rotations: Option<[u8; 5]>,
        constants: Option<Data<'_>>,
    ) -> PyResult<Self> {
        session_crypto::milenage::Milenage::from_op(k.as_slice(), op.as_slice())
            .and_then(|milenage| milenage.with_constants(chosen(rotations, constants)?))
            .map(Self)
            .map_err(|e| failure(py, e))
    }

    #[getter]
    fn opc(&self) -> Secret {
        self.0.opc().into()
    }

    fn vector(
        &self,
        py: Python<'_>,
        rand: Data<'_>,
        sqn: Data<'_>,
        amf: Data<'_>,
    ) -> PyResult<AuthVector> {
        let vector = self
            .0
            .vector(rand.as_slice(), sqn.as_slice(), amf.as_slice())
            .map_err(|e| failure(py, e))?;
        let secrets = [vector.xres, vector.ck, vector.ik];
        AuthVector::new(py, &vector.rand, &vector.autn, secrets)
    }

    fn open_autn<'py>(
        &self,
        py: Python<'py>,
        rand: Data<'_>,
        autn: Data<'_>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        bytes(py, self.0.open_autn(rand.as_slice(), autn.as_slice()))
    }

    fn auts<'py>(
        &self,
        py: Python<'py>,
        rand: Data<'_>,
        sqn_ms: Data<'_>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        bytes(py, self.0.auts(rand.as_slice(), sqn_ms.as_slice()))
    }

    fn resync<'py>(
        &self,
        py: Python<'py>,
        rand: Data<'_>,
        auts: Data<'_>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        bytes(py, self.0.resync(rand.as_slice(), auts.as_slice()))
    }

    fn f1<'py>(
        &self,
        py: Python<'py>,
        rand: Data<'_>,
        sqn: Data<'_>,
        amf: Data<'_>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (rand, sqn, amf) = inputs(py, &rand, &sqn, &amf)?;
        Ok(PyBytes::new(py, &self.0.f1(&rand, &sqn, &amf)))
    }

    fn f1_star<'py>(
        &self,
        py: Python<'py>,
        rand: Data<'_>,
        sqn: Data<'_>,
        amf: Data<'_>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (rand, sqn, amf) = inputs(py, &rand, &sqn, &amf)?;
        Ok(PyBytes::new(py, &self.0.f1_star(&rand, &sqn, &amf)))
    }

    fn f2(&self, py: Python<'_>, rand: Data<'_>) -> PyResult<Secret> {
        Ok(self.0.f2(&array(py, "RAND", &rand)?).into())
    }

    fn f3(&self, py: Python<'_>, rand: Data<'_>) -> PyResult<Secret> {
        Ok(self.0.f3(&array(py, "RAND", &rand)?).into())
    }

    fn f4(&self, py: Python<'_>, rand: Data<'_>) -> PyResult<Secret> {
        Ok(self.0.f4(&array(py, "RAND", &rand)?).into())
    }

    fn f5<'py>(&self, py: Python<'py>, rand: Data<'_>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.0.f5(&array(py, "RAND", &rand)?)))
    }

    fn f5_star<'py>(&self, py: Python<'py>, rand: Data<'_>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(
            py,
            &self.0.f5_star(&array(py, "RAND", &rand)?),
        ))
    }

    fn __repr__(&self) -> &'static str {
        "<Milenage>"
    }
}

type Inputs = ([u8; 16], [u8; 6], [u8; 2]);

fn inputs(py: Python<'_>, rand: &Data<'_>, sqn: &Data<'_>, amf: &Data<'_>) -> PyResult<Inputs> {
    Ok((
        array(py, "RAND", rand)?,
        array(py, "SQN", sqn)?,
        array(py, "AMF", amf)?,
    ))
}

pub(crate) fn array<const N: usize>(
    py: Python<'_>,
    field: &'static str,
    data: &Data<'_>,
) -> PyResult<[u8; N]> {
    let bytes = data.as_slice();
    bytes.try_into().map_err(|_| {
        let fault = CryptoError::WrongLength {
            field,
            expected: N,
            actual: bytes.len(),
        };
        failure(py, fault)
    })
}

fn bytes<const N: usize>(
    py: Python<'_>,
    result: Result<[u8; N], CryptoError>,
) -> PyResult<Bound<'_, PyBytes>> {
    match result {
        Ok(array) => Ok(PyBytes::new(py, &array)),
        Err(fault) => Err(failure(py, fault)),
    }
}

/// The operator's constants, or the standard's for what is not given.
/// The standard's constants, but for those that the operator has chosen.
pub(crate) fn chosen(
    rotations: Option<[u8; 5]>,
    constants: Option<Data<'_>>,
) -> Result<Constants, CryptoError> {
    let mut chosen = Constants::default();
    if let Some(rotations) = rotations {
        chosen.rotations = rotations;
    }
    if let Some(constants) = constants {
        let (added, rest) = constants.as_slice().as_chunks();
        match (added.try_into(), rest) {
            (Ok(added), []) => chosen.added = added,
            _ => {
                return Err(CryptoError::WrongLength {
                    field: "constants",
                    expected: 80,
                    actual: constants.as_slice().len(),
                });
            }
        }
    }
    Ok(chosen)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Milenage>()?;
    module.add_class::<AuthVector>()
}
