//! What one board can hold.
/// Byte and token capacities.
pub struct Capacities;
/// One board.
pub struct DeviceProfile;
