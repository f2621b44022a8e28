//! One client per forge behind one enum.
