//! TUAK for Python. The subscriber key stays inside; what it yields comes out as `Secret`.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use session_crypto::CryptoError;
use session_crypto::tuak::Parameters;

use crate::buffer::Data;
use crate::crypto::failure;
use crate::milenage::{AuthVector, array};
use crate::secret::{Key, Secret};

/// The functions of one subscriber key.
#[pyclass(module = "cardea_core", frozen)]
pub(crate) struct Tuak(session_crypto::tuak::Tuak);

#[pymethods]
impl Tuak {
    #[new]
    #[pyo3(signature = (
        k, topc, *, mac_length = 8, res_length = 8, ck_length = 16, ik_length = 16, iterations = 1
    ))]
    #[allow(clippy::too_many_arguments)] // the operator's choices, all by keyword
    fn new(
        py: Python<'_>,
        k: Key<'_>,
        topc: Key<'_>,
        mac_length: usize,
        res_length: usize,
        ck_length: usize,
        ik_length: usize,
        iterations: u32,
    ) -> PyResult<Self> {
        let parameters = Parameters {
            mac_length,
            res_length,
            ck_length,
            ik_length,
            iterations,
        };
        session_crypto::tuak::Tuak::new(k.as_slice(), topc.as_slice(), parameters)
            .map(Self)
            .map_err(|e| failure(py, e))
    }

    #[staticmethod]
    #[pyo3(signature = (
        k, top, *, mac_length = 8, res_length = 8, ck_length = 16, ik_length = 16, iterations = 1
    ))]
    #[allow(clippy::too_many_arguments)] // as above
    fn from_top(
        py: Python<'_>,
        k: Key<'_>,
        top: Key<'_>,
        mac_length: usize,
        res_length: usize,
        ck_length: usize,
        ik_length: usize,
        iterations: u32,
    ) -> PyResult<Self> {
        let parameters = Parameters {
            mac_length,
            res_length,
            ck_length,
            ik_length,
            iterations,
        };
        session_crypto::tuak::Tuak::from_top(k.as_slice(), top.as_slice(), parameters)
            .map(Self)
            .map_err(|e| failure(py, e))
    }

    #[getter]
    fn topc(&self) -> Secret {
        self.0.topc().into()
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
        let rand = array(py, "RAND", &rand)?;
        Ok(PyBytes::new(py, &self.0.f5_star(&rand)))
    }

    fn __repr__(&self) -> &'static str {
        "<Tuak>"
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

fn bytes<T: AsRef<[u8]>>(
    py: Python<'_>,
    result: Result<T, CryptoError>,
) -> PyResult<Bound<'_, PyBytes>> {
    match result {
        Ok(bytes) => Ok(PyBytes::new(py, bytes.as_ref())),
        Err(fault) => Err(failure(py, fault)),
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Tuak>()
}
